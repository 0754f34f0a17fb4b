"""The provider that the providers' README grows, step by step."""

import re
import sys
from pathlib import Path

from mockserver import providers

GUIDE = Path(providers.__file__).with_name("README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(python|yaml)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def forget() -> None:
    """Lets the provider be imported anew."""
    providers.discover.cache_clear()
    for name in [name for name in sys.modules if ".thimble" in name]:
        del sys.modules[name]


def follow(folder: Path, block: str) -> None:
    """Does what a block says: writes a file, changes one, or runs."""
    first, _, rest = block.partition("\n")
    named = re.fullmatch(r"# (\S+?)(?:: instead of (.*))?", first)
    if named is None:
        forget()
        exec(compile(block, "the guide", "exec"), {})  # what a reader would run
    elif named[2] is None:
        (folder / named[1]).write_text(rest)
    else:
        text = (folder / named[1]).read_text()
        assert text.count(named[2]) == 1, f"{named[2]!r} is not there once"
        (folder / named[1]).write_text(text.replace(named[2], rest.rstrip("\n")))
