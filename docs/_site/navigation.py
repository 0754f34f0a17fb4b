"""Makes the navigation from the folders; pages stand in the order in which index.md links them."""

import re
from pathlib import Path
from typing import Any

SECTIONS = {
    "Quick start": "quick-start",
    "Tutorials": "tutorials",
    "Guides": "guides",
    "Examples": "examples",
    "Providers": "providers",
    "Reference": "reference",
    "Explanation": "explanation",
    "More": ".",
}
LINK = re.compile(r"\]\(([^)#]+)\.md[)#]")


def pages_in_order(source: Path) -> dict[str, list[str]]:
    """Returns the names of the pages of each section, without a suffix."""
    linked = LINK.findall((source / "index.md").read_text("utf-8"))
    pages = [path.relative_to(source) for path in sorted(source.rglob("*.md"))]
    pages = [page for page in pages if page.parts[0][0] != "_" and page.name != "index.md"]
    pages = [page for page in pages if "node_modules" not in page.parts]
    names = [page.with_suffix("").as_posix() for page in pages]
    names.sort(key=lambda name: linked.index(name) if name in linked else len(linked))
    sections: dict[str, list[str]] = {folder: [] for folder in SECTIONS.values()}
    for name in names:
        sections[name.partition("/")[0] if "/" in name else "."].append(name)
    return {title: sections[folder] for title, folder in SECTIONS.items()}


def add(app: Any, name: str, text: list[str]) -> None:
    """Appends the navigation to the first page."""
    if name != "index":
        return
    for title, names in pages_in_order(Path(app.srcdir)).items():
        if names:
            lines = ["```{toctree}", ":hidden:", f":caption: {title}", "", *names, "```"]
            text[0] += "\n\n" + "\n".join(lines) + "\n"


def setup(app: Any) -> dict[str, bool]:
    """Registers with Sphinx; a transcript is text."""
    from pygments.lexers.special import TextLexer

    for language in ("transcript", "mermaid"):
        app.add_lexer(language, TextLexer)
    app.connect("source-read", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
