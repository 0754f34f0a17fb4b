"""The line that does what a fact says carries the fact's id: ``# fact: cdp-lifetime``.

Several ids are separated by commas. The comment is at the end of the line or on the line above;
in a YAML file it is a YAML comment. A fact that no line carries says why in its ``code``.
"""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from contract_tests.prove.facts import TREE
from mockserver.files.documents import Fact, facts
from mockserver.providers import discover

ID = r"[a-z0-9]+(?:-[a-z0-9]+)+"
COMMENT = re.compile(rf"(?:^|\s)# fact: ({ID}(?:, {ID})*)$")
LIKE_A_COMMENT = re.compile(r"#\s*facts?\s*:", re.IGNORECASE)

PROVIDERS = list(discover())


def sources() -> list[Path]:
    package = TREE / "mockserver"
    code = [*package.rglob("*.py"), *package.rglob("*.yaml"), *TREE.glob("fixtures/worlds/*.yaml")]
    return [file for file in code if file.name != "facts.yaml"]


def ids_in(line: str) -> list[str]:
    comment = COMMENT.search(line)
    return comment[1].split(", ") if comment else []


@cache
def lines_by_fact() -> dict[str, list[str]]:
    """Returns the places of each id, as ``file:line``."""
    places: dict[str, list[str]] = defaultdict(list)
    for file in sources():
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            for id in ids_in(line):
                places[id].append(f"{file.relative_to(TREE)}:{number}")
    return places


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_fact_has_a_line_or_a_reason(provider: str) -> None:
    expected = [fact.id for fact in facts(provider) if not fact.code]
    assert [id for id in expected if id not in lines_by_fact()] == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_fact_with_a_reason_has_no_line(provider: str) -> None:
    with_reason = [fact.id for fact in facts(provider) if fact.code]
    assert {id: lines_by_fact()[id] for id in with_reason if id in lines_by_fact()} == {}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_id_of_a_provider_is_a_fact(provider: str) -> None:
    known = {fact.id for fact in facts(provider)}
    named = {id: at for id, at in lines_by_fact().items() if id.startswith(f"{provider}-")}
    assert {id: at for id, at in named.items() if id not in known} == {}


def test_every_id_begins_with_a_provider() -> None:
    prefixes = tuple(f"{provider}-" for provider in PROVIDERS)
    assert {id: at for id, at in lines_by_fact().items() if not id.startswith(prefixes)} == {}


def test_every_fact_comment_is_well_formed() -> None:
    lines = [line for file in sources() for line in file.read_text("utf-8").splitlines()]
    malformed = [li for li in lines if LIKE_A_COMMENT.search(li) and not ids_in(li)]
    assert [line for line in malformed if "# fact: ID" not in line] == []


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("    x = 1  # fact: cdp-rate", ["cdp-rate"]),
        ("# fact: cdp-rate, cdp-rate-per-key", ["cdp-rate", "cdp-rate-per-key"]),
        ("      - client_closed_request # fact: cdp-errors-elsewhere", ["cdp-errors-elsewhere"]),
        ("# fact: cdp-rate cdp-rate-per-key", []),
        ("# fact: cdp-rate.", []),
        ("# the fact: cdp-rate", []),
    ],
)
def test_ids_are_read_from_a_comment(line: str, ids: list[str]) -> None:
    assert ids_in(line) == ids


def test_code_of_a_fact_is_a_reason() -> None:
    assert Fact("a-b", "A.", "S", "assumed", code="none: about clients").code
    with pytest.raises(ValueError, match="code is absent, or none: and a reason"):
        Fact("a-b", "A.", "S", "assumed", code="elsewhere")
