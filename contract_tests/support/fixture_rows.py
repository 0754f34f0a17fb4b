"""The rows of the fixtures, and answers without what differs in each."""

import re
from pathlib import Path
from typing import Any

from mockserver.files import strict_yaml
from mockserver.files.lookup import fixtures


def rows(provider: str, name: str) -> Any:
    return strict_yaml.load(Path(fixtures() / provider / f"{name}.yaml").read_text("utf-8"))


# Made anew for every request; what stands for them are the documents' own examples.
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RAY = re.compile("[0-9a-f]{16}-[A-Z]{3}")


def masked(answer: str) -> str:
    answer = UUID.sub("11111111-2222-3333-4444-555555555555", answer)
    return RAY.sub("41deb8d59a9dc9a7-IAD", answer)
