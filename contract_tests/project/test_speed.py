"""What a request costs: instructions, as a multiple of what a bare application takes for it.

Instructions and not seconds: the same code takes the same ones on a busy machine.
"""

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.instructions import LOOSE, MARGIN, Count, complaints, counts, limits
from mockserver.files import strict_yaml
from mockserver.providers import discover


def read(text: str) -> dict[str, float]:
    return {name: float(limit) for name, limit in strict_yaml.load(text).items()}


LIMITS = read(Path(__file__).with_name("instructions.yaml").read_text(encoding="utf-8"))
COUNTABLE = shutil.which("valgrind") or "CI" in os.environ  # in CI a missing valgrind is a failure


@pytest.mark.skipif(not COUNTABLE, reason="valgrind is missing: its callgrind counts instructions")
def test_no_request_takes_more_instructions_than_its_limit() -> None:
    assert list(complaints(counts(), LIMITS)) == []


def test_every_provider_has_a_limit_and_nobody_else_has() -> None:
    assert list(LIMITS) == list(discover())


JUDGED = [
    ("at the limit passes", 400, None),
    (
        "above the limit fails",
        401,
        "cpg: 4.010 times what a bare application takes, at most 4.00 is allowed",
    ),
    ("far below the limit, but not too far, passes", 300, None),
    (
        "too far below fails, and says what to do",
        299,
        "cpg: 2.990 times what a bare application takes, so lower its limit of 4.00: python -m benchmarks.instructions > contract_tests/project/instructions.yaml",
    ),
]


@pytest.mark.parametrize(
    ("ours", "complaint"), [row[1:] for row in JUDGED], ids=[r[0] for r in JUDGED]
)
def test_a_count_is_judged_on_both_sides(ours: int, complaint: str | None) -> None:
    counted = {"cdp": Count(100, 250), "cpg": Count(100, ours)}
    assert list(complaints(counted, {"cdp": 2.5, "cpg": 4.0})) == ([complaint] if complaint else [])


def test_stated_limits_stand_a_tenth_above_what_was_reached() -> None:
    counted = {"cdp": Count(1000, 2500), "cpg": Count(1000, 4001)}
    stated = read("\n".join(limits(counted)))
    assert stated == {"cdp": 2.75, "cpg": 4.4}
    assert list(complaints(counted, stated)) == []
    assert (1 + MARGIN) * (1 - LOOSE) < 1  # a limit just stated is not too far above
