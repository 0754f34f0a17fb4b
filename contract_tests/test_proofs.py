"""Facts, proofs, defects and pages hang together; a sample of the defects is planted here.

``make prove`` plants them all.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from prove import DEFECTS, TREE, Copy, Defect, Proof, defects, proofs, prove

from mockserver.edge.documents import Fact, facts
from mockserver.providers import discover
from mockserver.wire import strict_yaml

PROVIDERS = list(discover())
HERE = Path(__file__).parent
PLANTED = {proof.fact.id: proof for proof in proofs()}

# Two of each provider, spread over its file.
SAMPLE = [
    found[at]
    for p in PROVIDERS
    for found in [defects(p)]
    for at in (len(found) // 3, -len(found) // 3)
]


def known(provider: str) -> dict[str, Fact]:
    return {fact.id: fact for fact in facts(provider)}


# Facts and proofs


@pytest.fixture(scope="module")
def collected() -> set[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False).stdout
    return {
        line.partition("contract_tests/")[2] or line for line in told.splitlines() if "::" in line
    }


def test_every_fact_has_a_proof_that_is_there(collected: set[str]) -> None:
    tests = collected | {id.partition("[")[0] for id in collected}
    missing = [f.id for p in PROVIDERS for f in facts(p) if f.proof not in tests]
    assert missing == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_documented_fact_has_one_defect_and_no_other_has(provider: str) -> None:
    documented = [fact.id for fact in facts(provider) if fact.status == "documented"]
    assert [defect.fact for defect in defects(provider)] == documented


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_defect_stands_in_the_server_and_is_another_one(provider: str) -> None:
    for defect in defects(provider):
        file = TREE / defect.file
        assert file.is_relative_to(TREE / "mockserver") or file.is_relative_to(TREE / "fixtures")
        text = file.read_text(encoding="utf-8")
        assert defect.planted(text) != text
    patches = Counter((d.file, d.find, d.put) for d in defects(provider))
    assert [patch for patch, n in patches.items() if n > 1] == []


# The pages


def checklist(provider: str) -> Any:
    return strict_yaml.load((HERE / "checklist" / f"{provider}.yaml").read_text(encoding="utf-8"))


def accounted(row: dict[str, Any], ids: set[str]) -> bool:
    """Tells whether a row names facts that are there, or says why there is none."""
    named = row.get("facts", [])
    return set(named) <= ids and bool(named) != bool(row.get("not"))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_line_of_the_page_is_accounted_for(provider: str) -> None:
    told = checklist(provider)
    rows = told["lines"]
    assert [row["from"] for row in rows] == [1, *(row["to"] + 1 for row in rows[:-1])]
    assert rows[-1]["to"] == told["length"]
    assert [row for row in rows if not accounted(row, set(known(provider)))] == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_decision_is_accounted_for(provider: str) -> None:
    rows = checklist(provider)["decisions"]
    assert [row["row"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row for row in rows if not accounted(row, set(known(provider)))] == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_fact_of_the_page_is_on_its_checklist(provider: str) -> None:
    told = checklist(provider)
    named = {id for row in told["lines"] for id in row.get("facts", [])}
    assert {f.id for f in facts(provider) if told["page"] in f.source.split("-")} - named == set()


# The defects


def test_a_sample_of_the_defects_is_caught() -> None:
    wanted = [PLANTED[defect.fact] for defect in SAMPLE]
    assert {p.fact.id: told for p, told in prove(wanted, workers=2)} == {
        p.fact.id: "caught" for p in wanted
    }


FALSE = [
    ("what changes nothing is missed", '"""The two times', '"""Two times', "MISSED"),
    ("what stops the server proves nothing", "class Clock:", "class Clock(", "BROKEN"),
]


@pytest.mark.parametrize(
    ("find", "put", "verdict"), [row[1:] for row in FALSE], ids=[r[0] for r in FALSE]
)
def test_a_defect_that_is_none_is_told(tmp_path: Path, find: str, put: str, verdict: str) -> None:
    fact = Fact(
        "cpg-x",
        "X.",
        "S",
        "documented",
        "test_engine.py::test_the_journal_keeps_the_last_entries_only",
    )
    file = "mockserver/engine/clock.py"
    defect = Defect("cpg-x", "X.", file, find, put)
    assert Copy(tmp_path, 0).verdict(Proof(fact, defect)).startswith(verdict)


def test_a_defect_that_does_not_stand_in_its_file_is_refused() -> None:
    defect = Defect("cpg-x", "X.", "mockserver/engine/clock.py", "no such text", "other")
    with pytest.raises(ValueError, match="is not once in"):
        defect.planted("some text")
    with pytest.raises(ValueError, match="is not once in"):
        defect.planted("no such text, no such text")


def test_no_defects_file_is_left_over() -> None:
    assert sorted(file.stem for file in DEFECTS.glob("*.yaml")) == PROVIDERS
    assert sorted(file.stem for file in (HERE / "checklist").glob("*.yaml")) == PROVIDERS


def test_defects_are_told_in_a_sentence() -> None:
    assert [
        d.fact for p in PROVIDERS for d in defects(p) if not re.fullmatch(r"[A-Z].*\.", d.about)
    ] == []
