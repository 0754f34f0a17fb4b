"""Durations as people write them (``250ms``, ``1m30s``, ``61``), in nanoseconds."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
Duration = str | float | timedelta  # as people may give one; a number is seconds
SECONDS_MAX = 10**12  # of a duration given as a number: more than any setting takes

_UNITS = (3600 * SECOND, 60 * SECOND, SECOND, MILLISECOND)
_COUNT = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)"
_MILLIS = r"([0-9]{1,12}(?:\.[0-9]{1,6})?)"
_FORM = re.compile(rf"(-?)(?=[0-9])(?:{_COUNT}h)?(?:{_COUNT}m(?!s))?(?:{_COUNT}s)?(?:{_MILLIS}ms)?")


def parse_duration(value: Any) -> int:
    """Reads a text such as ``61s``, ``1.5s`` or ``-1m30s``, a number of seconds or a timedelta.

    Raises ValueError for anything else, and for less than a nanosecond.
    """
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1) * 1000
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _of_seconds(value)
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"{value!r} is no duration: write 250ms, 61s, 1m30s or 1h")
    sign, *counts = found.groups()
    parts = zip(counts, _UNITS, strict=True)
    total = sum(int(Decimal(count) * unit) for count, unit in parts if count)
    return -total if sign else total


def _of_seconds(value: float) -> int:
    if not -SECONDS_MAX <= value <= SECONDS_MAX:  # NaN neither
        raise ValueError(f"{value!r:.20} is no duration in seconds")
    if 0 < abs(value) * SECOND < 1:
        raise ValueError(f"{value!r} seconds are less than a nanosecond")
    return round(Decimal(repr(value)) * SECOND)


def duration_text(duration: int) -> str:
    """Writes a duration as ``parse_duration`` reads it: in whole seconds, or in milliseconds."""
    if duration % SECOND == 0:
        return f"{duration // SECOND}s"
    whole, rest = divmod(abs(duration), MILLISECOND)
    fraction = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{'-' if duration < 0 else ''}{whole}{fraction}ms"
