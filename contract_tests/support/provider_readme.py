"""The provider that the providers' README grows, step by step."""

import re
import sys
from pathlib import Path
from typing import Any

from mockserver import providers

GUIDE = Path(providers.__file__).with_name("README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(python|yaml)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^# (\S+\.(?:py|yaml))(?:: instead of (.*))?\n", re.MULTILINE)


def forget() -> None:
    """Lets the provider be imported anew."""
    providers.discover.cache_clear()
    for name in [name for name in sys.modules if ".thimble" in name]:
        del sys.modules[name]


def follow(folder: Path, block: str, session: dict[str, Any] | None = None) -> None:
    """Does what a block says: writes a file, changes some, or runs in a session of Python."""
    before, *steps = HEADING.split(block)
    if before:
        forget()
        exec(compile(block, "the guide", "exec"), {} if session is None else session)
    for name, old, new in zip(steps[::3], steps[1::3], steps[2::3], strict=True):
        if old is None:
            (folder / name).write_text(new)
            continue
        text = (folder / name).read_text()
        assert text.count(old) == 1, f"{old!r} is not there once"
        (folder / name).write_text(text.replace(old, new.rstrip("\n")))
