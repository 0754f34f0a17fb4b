"""The README as an index page shows it, where links into the repository lead nowhere.

With `Source` in [project.urls] they lead there; without it they are plain text.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

IMAGE = re.compile(r"!\[([^]]*)\]\((?!https?:)([^)]+)\)")
LINK = re.compile(r"\[([^]]+)\]\((?!https?:|#)([^)]+)\)")


class Readme(MetadataHookInterface):
    """Puts the README into the metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Sets ``readme``, which pyproject.toml declares dynamic."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        source = (metadata.get("urls") or {}).get("Source")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": for_index(text, source),
        }


def for_index(text: str, source: str | None) -> str:
    """Returns the README with absolute links, or with none where ``source`` is unknown."""
    if source:
        text = IMAGE.sub(rf"![\1]({source}/raw/HEAD/\2)", text)
        return LINK.sub(rf"[\1]({source}/blob/HEAD/\2)", text)
    return LINK.sub(r"\1", IMAGE.sub("", text))
