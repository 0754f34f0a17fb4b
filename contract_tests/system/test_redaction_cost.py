"""What redaction costs is linear in what was sent: instructions, not seconds."""

import os
import shutil

import pytest

from benchmarks.redaction import MOST, SHAPES, costs

COUNTABLE = shutil.which("valgrind") or "CI" in os.environ  # in CI a missing valgrind is a failure


@pytest.mark.skipif(not COUNTABLE, reason="valgrind is missing: its callgrind counts instructions")
def test_sixteen_times_the_bytes_cost_seventeen_times_the_instructions_at_most() -> None:
    found = costs()
    assert len(found) == len(SHAPES) >= 20
    assert {shape: cost.growth for shape, cost in found.items() if cost.growth > MOST} == {}
