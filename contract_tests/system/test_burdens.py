"""Ten fault rules or a skewed clock cost a request at most a tenth more instructions."""

import os
import shutil

import pytest

from benchmarks.instructions import counts

MOST = 1.10
COUNTABLE = shutil.which("valgrind") or "CI" in os.environ  # in CI a missing valgrind is a failure


@pytest.mark.skipif(not COUNTABLE, reason="valgrind is missing: its callgrind counts instructions")
def test_rules_and_a_skewed_clock_cost_at_most_a_tenth() -> None:
    found = {
        (provider, burden): ratio
        for provider, count in counts(burdens=True).items()
        for burden, ratio in count.burdens.items()
    }
    assert len(found) == 10
    assert {key: ratio for key, ratio in found.items() if ratio > MOST} == {}
