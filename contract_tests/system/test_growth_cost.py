"""A request costs the same when there is much of everything: instructions, not seconds.

``benchmarks/growth/pairs.py`` lists what is counted and how much more the large side may take.
"""

import os
import shutil

import pytest

from benchmarks.growth.counted import complaints, counted

COUNTABLE = shutil.which("valgrind") or "CI" in os.environ  # in CI a missing valgrind is a failure


@pytest.mark.skipif(not COUNTABLE, reason="valgrind is missing: its callgrind counts instructions")
def test_what_there_is_much_of_costs_hardly_more_instructions() -> None:
    assert complaints(counted()) == []
