"""The pages of the documentation: their code blocks and their tables."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mockserver import MockServer
from mockserver.cli.banner import base_url
from mockserver.providers import discover

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]

BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A code block; ``reason`` says why it is not run, where it is not.

    ``adjoins`` says that nothing stands between it and the block before.
    """

    language: str
    code: str
    line: int
    reason: str | None
    adjoins: bool


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> Iterator[Block]:
    """Yields the blocks of a page in order, or those in some languages."""
    text, end = page.read_text("utf-8"), 0
    for found in BLOCK.finditer(text):
        line, adjoins = (
            text.count("\n", 0, found.start("code")),
            text[end : found.start()] == "\n\n",
        )
        end = found.end()
        if not languages or found["language"] in languages:
            yield Block(found["language"], found["code"], line, found["reason"], adjoins)


def placed(code: str, server: MockServer) -> str:
    """Puts a running server's addresses in the place of the default ones."""
    for provider in discover().values():
        code = code.replace(base_url(provider), getattr(server, provider.name).base_url)
        curl = f"mockserver curl {provider.name}"
        code = code.replace(curl, f"{curl} --url {getattr(server, provider.name).base_url}")
    return code.replace("http://127.0.0.1:8490", server.url)


def rows(page: str, first: str) -> dict[str, list[str]]:
    """Returns the rows of a page's table whose head begins with ``first``, by their first cell."""
    text = (ROOT / page).read_text("utf-8")
    found: dict[str, list[str]] = {}
    for table in re.findall(rf"^\| {first} \|.*\n\| ---.*\n((?:\|.*\n)+)", text, re.MULTILINE):
        for line in table.splitlines():
            head, *rest = [c.strip().strip("`") for c in line.strip("|\n").split("|")]
            found[head] = rest
    return found
