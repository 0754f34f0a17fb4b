"""Writes the pages for assistants: llms.txt (a list of pages) and llms-full.txt (all in one)."""

import re
from pathlib import Path
from typing import Any

from navigation import pages_in_order

TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)


def write(app: Any, error: Exception | None) -> None:
    """Writes both files, and the Markdown of each page beside its HTML."""
    if error or app.builder.name != "html":
        return
    source, site = Path(app.srcdir), Path(app.outdir)
    sections = {"Start": ["index"]} | pages_in_order(source)
    texts = {
        name: COMMENT.sub("", (source / f"{name}.md").read_text("utf-8")).strip()
        for names in sections.values()
        for name in names
    }
    for name, text in texts.items():
        (site / f"{name}.md").write_text(text + "\n", "utf-8")
    (site / "llms.txt").write_text(_list(sections, texts), "utf-8")
    pages = (f"<!-- {name}.md -->\n\n{text}\n" for name, text in texts.items())
    (site / "llms-full.txt").write_text("\n".join(pages), "utf-8")


def _list(sections: dict[str, list[str]], texts: dict[str, str]) -> str:
    lines = ["# Mockserver", "", f"> {_first_paragraph(texts['index'])}", ""]
    lines += ["All pages in one file: [llms-full.txt](llms-full.txt)", ""]
    for title, names in sections.items():
        if names:
            lines += [f"## {title}", ""]
            lines += [f"- [{_title(texts[n], n)}]({n}.md): {_about(texts[n])}" for n in names]
            lines.append("")
    return "\n".join(lines)


def _title(text: str, name: str) -> str:
    match = TITLE.search(text)
    return match[1] if match else name


def _about(text: str) -> str:
    """Returns the first sentence of a page, without links."""
    return re.split(r"(?<=[.!?])\s", _first_paragraph(text))[0]


def _first_paragraph(text: str) -> str:
    paragraphs = (part.strip() for part in TITLE.sub("", text, count=1).split("\n\n"))
    first = next((part for part in paragraphs if part and part[0].isalnum()), "")
    return re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", " ".join(first.split()))


def setup(app: Any) -> dict[str, bool]:
    """Registers with Sphinx."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
