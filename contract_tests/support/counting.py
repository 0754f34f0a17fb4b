"""Counts what something takes, where seconds would depend on the machine."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def calls_of_at_most(most: int) -> Iterator[None]:
    """Fails when more functions are called inside, in this thread; those of C are counted too."""
    calls = 0

    def count(_: Any, event: str, __: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)
    assert calls <= most
