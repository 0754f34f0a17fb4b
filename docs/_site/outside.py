"""Turns links to Markdown outside docs/ into downloads: those files are no pages of the site."""

import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"(?<!!)\[([^]]+)\]\(((?:\.\./)+[^)#]+\.md)(?:#[^)]*)?\)")


def change(app: Any, name: str, text: list[str]) -> None:
    """Rewrites such links of a page whose file exists; others stay, and are dead links."""
    root = Path(app.srcdir).resolve()
    here = (root / name).parent

    def link(match: re.Match[str]) -> str:
        target = (here / match[2]).resolve()
        if target.is_relative_to(root) or not target.is_file():
            return match[0]
        return f"{{download}}`{match[1]} <{match[2]}>`"

    text[0] = LINK.sub(link, text[0])


def setup(app: Any) -> dict[str, bool]:
    """Registers with Sphinx."""
    app.connect("source-read", change)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
