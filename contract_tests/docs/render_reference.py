"""Renders the tables of the documentation and the JSON Schemas: ``make reference``.

A page has a table between ``<!-- table: NAME -->`` and ``<!-- end of table -->``.
"""

import re
from pathlib import Path

import msgspec

from contract_tests.docs.reference_tables import TABLES
from mockserver.cli.schema import KINDS, document

DOCS = Path(__file__).parents[2] / "docs"
SCHEMAS = DOCS.parent / "fixtures" / "schemas"
PLACE = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def pages() -> list[Path]:
    """Returns the pages that have a rendered table."""
    return [path for path in sorted(DOCS.rglob("*.md")) if PLACE.search(path.read_text("utf-8"))]


def rendered(text: str) -> str:
    """Returns a page with its tables as they are now."""
    return PLACE.sub(lambda m: f"{m[1]}\n{TABLES[m[2]]()}\n\n{m[3]}", text)


def schemas() -> dict[Path, str]:
    """Returns the text of each schema file."""
    texts = {kind: msgspec.json.format(msgspec.json.encode(document(kind))) for kind in KINDS}
    return {SCHEMAS / f"{kind}.schema.json": text.decode() + "\n" for kind, text in texts.items()}


def main() -> None:
    """Rewrites the pages and the schemas."""
    SCHEMAS.mkdir(exist_ok=True)
    for path, text in schemas().items():
        path.write_text(text, "utf-8")
        print(path.relative_to(DOCS.parent))
    for path in pages():
        path.write_text(rendered(path.read_text("utf-8")), "utf-8")
        print(path.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
