"""Refuses a site that loads something from another host."""

import re
from pathlib import Path
from typing import Any

from sphinx.errors import SphinxError

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*\bsrc=["'](?:https?:)?//[^"']*"""
    r"""|<link\b(?=[^>]*\brel=["'](?:stylesheet|preload|icon|preconnect))"""
    r"""[^>]*\bhref=["'](?:https?:)?//[^"']*"""
    r"""|url\(["']?https?://[^)]*|@import ["']https?://[^"']*"""
)


def check(app: Any, error: Exception | None) -> None:
    """Raises SphinxError that names the first file and what it loads."""
    if error:
        return
    for path in sorted(Path(app.outdir).rglob("*")):
        if path.suffix in (".html", ".css"):
            loaded = LOADED.search(path.read_text("utf-8"))
            if loaded:
                raise SphinxError(f"{path} loads from another host: {loaded[0]}")


def setup(app: Any) -> dict[str, bool]:
    """Registers with Sphinx."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
