"""The words of the documentation: none that its language rules ban, and every term explained."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "_site"))

import glossary  # noqa: E402 - a module of the site

PAGES = sorted(p for p in DOCS.rglob("*.md") if "node_modules" not in p.parts)
READ = [*PAGES, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))]
BANNED = re.compile(
    r"\b(told|tells?|nobody|somebody|whoever|so many|what is|answered well|goes that way"
    r"|lets? happen|as it was)\b",
    re.IGNORECASE,
)
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", READ, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_page_has_no_banned_word(page: Path) -> None:
    prose = CODE.sub("", page.read_text("utf-8"))
    assert [match[0] for match in BANNED.finditer(prose)] == []


GLOSSARY = (DOCS / "glossary.md").read_text("utf-8")
TERMS = glossary.terms(GLOSSARY)


def test_the_glossary_is_sorted_and_has_each_term_once() -> None:
    names = glossary.ENTRY.findall(GLOSSARY)
    assert names == sorted({*names})


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.stem != "glossary"], ids=lambda p: p.relative_to(DOCS).as_posix()
)
def test_each_term_is_linked_where_it_first_stands(page: Path) -> None:
    """The site adds the links: what follows the last one of a term may stand alone."""
    before: list[str] = []  # linked words
    for kind, piece in glossary.parts(glossary.linked(page.read_text("utf-8"), TERMS)):
        if kind == "link":
            before.append(piece)
        elif kind == "prose":
            rest = piece
            for name, pattern in TERMS.items():  # longest first
                if not any(pattern.search(link) for link in before):
                    assert not pattern.search(rest), name
                rest = pattern.sub("", rest)


LINKED = [
    ("A sandbox clock.", "A [sandbox clock](#term-sandbox-clock)."),
    ("`world`, worlds, a world", "`world`, [worlds](#term-world), a world"),
    ("# A world\n\nthe world", "# A world\n\nthe [world](#term-world)"),
    ("[worlds](w.md) and a world", "[worlds](w.md) and a world"),
    ("```sh\nworld\n```\nworld", "```sh\nworld\n```\n[world](#term-world)"),
]


@pytest.mark.parametrize(("text", "result"), LINKED)
def test_the_first_of_a_term_in_prose_becomes_a_link(text: str, result: str) -> None:
    assert glossary.linked(text, TERMS) == result
