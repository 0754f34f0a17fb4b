"""Links each term of the glossary where it first stands on a page, so that pages stay plain."""

import re
from pathlib import Path
from typing import Any

GLOSSARY = "glossary"
ENTRY = re.compile(r"^\*\*([^*]+)\*\*", re.MULTILINE)
# Text that is left alone: code, comments, headings, heads of tables, pictures, URLs; and links.
KEPT = re.compile(
    r"(?P<kept>^(?:```|~~~).*?^(?:```|~~~)[ ]*$|<!--.*?-->"
    r"|^(?: {4}|#)[^\n]*$|^\|[^\n]*\|\n(?=\| ?---)"
    r"|\[!?\[[^]]*\]\([^)]*\)\]\([^)]*\)|!\[[^]]*\]\([^)]*\)"
    r"|\{\w+\}`[^`]*`|`+[^`]*`+|<?https?://\S+)"
    r"|(?P<link>\[[^]]+\]\([^)]*\))",
    re.MULTILINE | re.DOTALL,
)


def terms(text: str) -> dict[str, re.Pattern[str]]:
    """Returns the terms of the glossary, longest first, each with a pattern that finds it."""
    names = sorted(ENTRY.findall(text), key=len, reverse=True)
    return {name: pattern(name) for name in names}


def pattern(name: str) -> re.Pattern[str]:
    """Returns what finds a term as a word, in the plural too, also across the end of a line."""
    words = r"\s+".join(map(re.escape, name.split()))
    plural = f"{words[:-1]}ies" if name.endswith("y") else f"{words}(?:es|s)"
    return re.compile(rf"(?<![\w/.-])(?:{plural}|{words})(?![\w-])", re.IGNORECASE)


def anchor(name: str) -> str:
    """Returns the target of a term."""
    return f"term-{name.replace(' ', '-')}"


def parts(text: str) -> list[tuple[str, str]]:
    """Returns a page in pieces: prose, links, and what is kept, each with its kind."""
    pieces, end = [], 0
    for match in KEPT.finditer(text):
        pieces.append(("prose", text[end : match.start()]))
        pieces.append(("kept" if match["kept"] else "link", match[0]))
        end = match.end()
    return [*pieces, ("prose", text[end:])]


def linked(text: str, known: dict[str, re.Pattern[str]]) -> str:
    """Returns a page with links at the first occurrences; a term within a link is linked."""
    open_terms = dict(known)
    result = []
    for kind, piece in parts(text):
        result.append(_linked(piece, open_terms) if kind == "prose" else piece)
        if kind == "link":
            _close(piece, open_terms)
    return "".join(result)


def _linked(prose: str, open_terms: dict[str, re.Pattern[str]]) -> str:
    spans: list[tuple[int, int, str]] = []
    taken: list[tuple[int, int]] = []
    for name, found in [*open_terms.items()]:
        for match in found.finditer(prose):
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue  # within a longer term
            spans.append((match.start(), match.end(), name))
            del open_terms[name]
            break
        taken += [match.span() for match in found.finditer(prose)]
    for start, end, name in sorted(spans, reverse=True):
        prose = f"{prose[:start]}[{prose[start:end]}](#{anchor(name)}){prose[end:]}"
    return prose


def _close(link: str, open_terms: dict[str, re.Pattern[str]]) -> None:
    for name in [name for name, found in open_terms.items() if found.search(link)]:
        del open_terms[name]


def change(app: Any, name: str, text: list[str]) -> None:
    """Links the terms of a page; gives those of the glossary a target."""
    path = Path(app.srcdir) / f"{GLOSSARY}.md"
    if not path.exists():
        return
    if name == GLOSSARY:
        text[0] = ENTRY.sub(lambda m: f"({anchor(m[1])})=\n{m[0]}", text[0])
    else:
        text[0] = linked(text[0], terms(path.read_text("utf-8")))


def setup(app: Any) -> dict[str, bool]:
    """Registers with Sphinx, before the navigation is added."""
    app.connect("source-read", change, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
