"""The rendered tables of the documentation are those of the code."""

from pathlib import Path

import pytest

from contract_tests.docs.reference_tables import TABLES
from contract_tests.docs.render_reference import DOCS, PLACE, pages, rendered

PAGES = pages()


@pytest.mark.parametrize("page", PAGES, ids=[p.stem for p in PAGES])
def test_a_page_has_the_tables_of_the_code(page: Path) -> None:
    text = page.read_text("utf-8")
    assert rendered(text) == text, "run make reference"


def test_every_table_is_on_a_page() -> None:
    named = {m[2] for page in DOCS.rglob("*.md") for m in PLACE.finditer(page.read_text("utf-8"))}
    assert named == set(TABLES)
