"""Moments as people write them (``2026-01-01T00:00:00Z``), in nanoseconds since the epoch."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from mockserver.model.durations import SECOND

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = 253_402_300_799  # the last second of the year 9999

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_FORM = re.compile(rf"({_DATE}T{_TIME})(?:\.([0-9]{{1,9}}))?(Z|[+-][0-9]{{2}}:[0-9]{{2}})")


def parse_instant(text: Any) -> int:
    """Reads an RFC 3339 time or an aware datetime; raises ValueError, without an offset too."""
    if isinstance(text, datetime):
        if text.utcoffset() is None:
            raise ValueError(f"{text} has no offset: give it a tzinfo, as in datetime.now(UTC)")
        return (text - EPOCH) // timedelta(microseconds=1) * 1000
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    try:
        whole = datetime.fromisoformat(found[1] + found[3]) if found else None
    except ValueError:
        whole = None
    if found is None or whole is None:
        raise ValueError(f"{str(text)[:40]!r} is no time: write 2026-01-01T00:00:00Z")
    seconds = (whole - EPOCH) // timedelta(seconds=1)
    return seconds * SECOND + int((found[2] or "0").ljust(9, "0"))


def to_datetime(moment: int) -> datetime:
    """Returns nanoseconds since the epoch as a datetime in UTC, cut to the microsecond."""
    return EPOCH + timedelta(microseconds=moment // 1000)


def instant_text(moment: int) -> str:
    """Writes a time in UTC with as many digits of a second as it has, up to nine."""
    seconds, rest = divmod(moment, SECOND)
    whole = EPOCH + timedelta(seconds=min(seconds, LAST))
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{whole:%Y-%m-%dT%H:%M:%S}{fraction}Z"
