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

from contract_tests.prove.anchor import splice
from contract_tests.prove.facts import DEFECTS, TREE, Copy, Defect, Proof, defects, proofs
from contract_tests.support import evidence
from contract_tests.support.evidence import having
from mockserver.files import strict_yaml
from mockserver.files.documents import Fact, facts

PROVIDERS = having(evidence.DEFECTS)
HERE = TREE / "contract_tests"
PLANTED = {proof.fact.id: proof for proof in proofs()}


FACTS = {name: {fact.id: fact for fact in facts(name)} for name in PROVIDERS}


# Facts and proofs


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """The tests of the modules that facts name."""
    modules = {fact.proof.partition("::")[0] for known in FACTS.values() for fact in known.values()}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    command += sorted(module for module in modules if (HERE / module).is_file())
    out = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False).stdout
    return {
        line.partition("contract_tests/")[2] or line for line in out.splitlines() if "::" in line
    }


def test_every_fact_has_a_proof_that_is_there(collected: set[str]) -> None:
    tests = collected | {id.partition("[")[0] for id in collected}
    every = [fact for known in FACTS.values() for fact in known.values()]
    assert [fact.id for fact in every if fact.proof not in tests] == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_documented_fact_has_one_defect_of_its_own(provider: str) -> None:
    documented = [fact.id for fact in FACTS[provider].values() if fact.status == "documented"]
    planted = defects(provider)
    assert [defect.fact for defect in planted] == documented
    for defect in planted:
        file = TREE / defect.file
        assert file.is_relative_to(TREE / "mockserver") or file.is_relative_to(TREE / "fixtures")
        text = file.read_text(encoding="utf-8")
        assert defect.planted(text) != text
        assert re.fullmatch(r"[A-Z].*\.", defect.about)
    patches = Counter((d.file, d.within, d.find, d.put) for d in planted)
    assert [patch for patch, n in patches.items() if n > 1] == []


# The pages


def accounted(row: dict[str, Any], ids: set[str]) -> bool:
    """Whether a row names facts that exist, or a reason why it has none."""
    named = row.get("facts", [])
    return set(named) <= ids and bool(named) != bool(row.get("not"))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_line_decision_and_fact_of_a_page_is_on_its_checklist(provider: str) -> None:
    text = (HERE / "checklist" / f"{provider}.yaml").read_text(encoding="utf-8")
    checklist = strict_yaml.load(text)
    lines, decisions, ids = checklist["lines"], checklist["decisions"], {*FACTS[provider]}
    assert [row["from"] for row in lines] == [1, *(row["to"] + 1 for row in lines[:-1])]
    assert lines[-1]["to"] == checklist["length"]
    assert [row["row"] for row in decisions] == list(range(1, len(decisions) + 1))
    assert [row for row in (*lines, *decisions) if not accounted(row, ids)] == []
    named = {id for row in lines for id in row.get("facts", [])}
    of_the_page = {
        fact.id for fact in FACTS[provider].values() if checklist["page"] in fact.source.split("-")
    }
    assert of_the_page - named == set()


# The defects


PROOF = "engine/test_clocks_and_ledger.py::test_the_journal_keeps_the_last_entries_only"
VERDICTS = [
    ("RATE_MAX = 1_000_001", "MISSED"),  # it changes nothing that the proof tests
    ("RATE_MAX = 1 / 0", "BROKEN"),  # the server does not start
]


def test_a_defect_that_proves_nothing_is_named(tmp_path: Path) -> None:
    fact = Fact("cpg-x", "X.", "S", "documented", PROOF)
    copy = Copy(tmp_path, 0)
    for put, verdict in VERDICTS:
        defect = Defect("cpg-x", "X.", "mockserver/engine/clock.py", "RATE_MAX = 1_000_000", put)
        assert copy.verdict(Proof(fact, defect)).startswith(verdict)


# Anchors

SOURCE = '''\
"""Doc: é."""
LIMIT = 20
TABLE = {
    "a": Row(1, "one"),  # the first
    "b": Row(
        2,
        'two',
    ),
}


class Clock(Struct, frozen=True):
    def now(self) -> int:
        x = f"{LIMIT}é"; total = self.base + self.skew
        if total > LIMIT:
            raise Late(total)
        return total

    def later(self) -> int:
        return self.base + self.skew
'''

# Where it is looked for, what is found and what is put there; the source's text before and after.
PUT = [
    ("a statement", "LIMIT", "LIMIT = 20", "LIMIT = 25", "LIMIT = 20", "LIMIT = 25"),
    ("an expression, however it is quoted and spaced", "TABLE", "Row(2,'two')", 'Row(3, "two")',
     "Row(\n        2,\n        'two',\n    )", 'Row(3, "two")'),
    ("some arguments of a call", "TABLE", '2, "two"', "4", "2,\n        'two'", "4"),
    ("a pair of a dict", "TABLE", '"a": Row(1, "one")', '"c": Row(1)', '"a": Row(1, "one")', '"c": Row(1)'),
    ("an expression in one of two methods", "Clock.later", "self.base + self.skew", "self.base",
     "return self.base + self.skew", "return self.base"),
    ("behind a character of two bytes", "Clock.now", "self.base+self.skew", "self.base",
     "total = self.base + self.skew", "total = self.base"),
    ("an argument of a class", "Clock", "frozen=True", "frozen=True, gc=False", "frozen=True", "frozen=True, gc=False"),
    ("some statements", "Clock.now", "if total > LIMIT:\n  raise Late(total)\nreturn total", "if total:\n    return 0\nreturn 1",
     "if total > LIMIT:\n            raise Late(total)\n        return total",
     "if total:\n            return 0\n        return 1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("within", "find", "put", "before", "after"), [r[1:] for r in PUT], ids=[r[0] for r in PUT]
)
def test_a_piece_is_replaced_and_every_other_byte_stays(
    within: str, find: str, put: str, before: str, after: str
) -> None:
    assert SOURCE.count(before) == 1
    expected = SOURCE.replace(before, after)
    assert splice(SOURCE, within, find, put) == expected
    assert splice(moved(SOURCE), within, find, put) == moved(expected)


def moved(source: str) -> str:
    """Returns the source among other code, which has the same statements elsewhere."""
    more = "\n\ndef more() -> int:\n    LIMIT = 20\n    return Row(2, 'two')\n"
    return f"import other\n\n\n{source}{more}"


REFUSED = [
    ("nothing like it", "LIMIT", "LIMIT = 30", "X = 1", "'LIMIT = 30' is 0 times in 'LIMIT', not once"),
    ("twice in a class", "Clock", "self.base + self.skew", "0", "'self.base + self.skew' is 2 times in 'Clock', not once"),
    ("no such name", "Watch.now", "total", "0", "there is no 'Watch.now'"),
    ("no such method", "Clock.never", "total", "0", "there is no 'Clock.never'"),
    ("not at module level", "", "self.base", "0", "'self.base' is 0 times at module level, not once"),
    ("no Python", "LIMIT", "LIMIT = =", "0", "'LIMIT = =' is no Python"),
    ("a statement for an expression", "Clock.later", "self.base", "return 1", "'return 1' cannot stand in the place of 'self.base'"),
    ("inside a text", "Clock.now", "{LIMIT}", "0", "'{LIMIT}' is 0 times in 'Clock.now', not once"),
    ("nothing changes", "LIMIT", "LIMIT = 20", "LIMIT = 20", "'LIMIT = 20' changes nothing"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("within", "find", "put", "message"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_piece_that_is_not_there_once_is_refused(
    within: str, find: str, put: str, message: str
) -> None:
    defect = Defect("cpg-x", "X.", "mockserver/x.py", find, put, within)
    with pytest.raises(ValueError, match=f"^cpg-x: mockserver/x.py: {re.escape(message)}$"):
        defect.planted(SOURCE)


def test_a_text_of_another_file_that_is_not_there_once_is_refused() -> None:
    defect = Defect("cpg-x", "X.", "fixtures/x.yaml", "a: 1", "a: 2")
    assert defect.planted("a: 1\nb: 1\n") == "a: 2\nb: 1\n"
    for text in ("", "a: 1\na: 1\n"):
        with pytest.raises(ValueError, match="not once"):
            defect.planted(text)


def test_no_defects_file_is_left_over() -> None:
    assert sorted(file.stem for file in DEFECTS.glob("*.yaml")) == PROVIDERS
    assert sorted(file.stem for file in (HERE / "checklist").glob("*.yaml")) == PROVIDERS
