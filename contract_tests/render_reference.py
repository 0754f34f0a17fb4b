"""Renders the tables of the documentation from the code: ``make reference``.

A page has a table between ``<!-- table: NAME -->`` and ``<!-- end of table -->``.
"""

import re
from pathlib import Path

from reference_tables import TABLES

DOCS = Path(__file__).parents[1] / "docs"
PLACE = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def pages() -> list[Path]:
    """Returns the pages that have a rendered table."""
    return [path for path in sorted(DOCS.rglob("*.md")) if PLACE.search(path.read_text("utf-8"))]


def rendered(text: str) -> str:
    """Returns a page with its tables as they are now."""
    return PLACE.sub(lambda m: f"{m[1]}\n{TABLES[m[2]]()}\n\n{m[3]}", text)


def main() -> None:
    """Rewrites the pages."""
    for path in pages():
        path.write_text(rendered(path.read_text("utf-8")), "utf-8")
        print(path.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
