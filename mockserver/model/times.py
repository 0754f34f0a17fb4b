"""Durations (``250ms``, ``1m30s``, ``61``) and instants (``2026-01-01T00:00:00Z``) as text.

Durations are nanoseconds, instants nanoseconds since the epoch.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from mockserver.errors import SettingError

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
CENTURY = 100 * 365 * 24 * 3600 * SECOND  # how far a clock can be moved or skewed
Duration = str | float | timedelta  # the forms that parse_duration reads; a number is seconds
SECONDS_MAX = 10**12  # of a duration that is a number: more than any setting accepts

_UNITS = (3600 * SECOND, 60 * SECOND, SECOND, MILLISECOND)
_COUNT = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)"
_MILLIS = r"([0-9]{1,12}(?:\.[0-9]{1,6})?)"
_DURATION = re.compile(
    rf"(-?)(?=[0-9])(?:{_COUNT}h)?(?:{_COUNT}m(?!s))?(?:{_COUNT}s)?(?:{_MILLIS}ms)?"
)


def parse_duration(value: Any) -> int:
    """Reads a text such as ``61s``, ``1.5s`` or ``-1m30s``, a number of seconds or a timedelta.

    Raises SettingError for anything else, and for less than a nanosecond.
    """
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1) * 1000
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _of_seconds(value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise SettingError(f"{value!r} is no duration: write 250ms, 61s, 1m30s or 1h")
    sign, *counts = match.groups()
    parts = zip(counts, _UNITS, strict=True)
    total = sum(int(Decimal(count) * unit) for count, unit in parts if count)
    return -total if sign else total


def _of_seconds(value: float) -> int:
    if not -SECONDS_MAX <= value <= SECONDS_MAX:  # NaN neither
        raise SettingError(f"{value!r:.20} is no duration in seconds")
    if 0 < abs(value) * SECOND < 1:
        raise SettingError(f"{value!r} seconds are less than a nanosecond")
    return round(Decimal(repr(value)) * SECOND)


def duration_text(duration: int) -> str:
    """Writes a duration as ``parse_duration`` reads it: in whole seconds, or in milliseconds."""
    if duration % SECOND == 0:
        return f"{duration // SECOND}s"
    whole, rest = divmod(abs(duration), MILLISECOND)
    fraction = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{'-' if duration < 0 else ''}{whole}{fraction}ms"


# Instants

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = 253_402_300_799  # the last second of the year 9999

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_INSTANT = re.compile(rf"({_DATE}T{_TIME})(?:\.([0-9]{{1,9}}))?(Z|[+-][0-9]{{2}}:[0-9]{{2}})")


def parse_instant(text: Any) -> int:
    """Reads an RFC 3339 time or an aware datetime; raises SettingError, without an offset too."""
    if isinstance(text, datetime):
        if text.utcoffset() is None:
            raise SettingError(f"{text} has no offset: give it a tzinfo, as in datetime.now(UTC)")
        return (text - EPOCH) // timedelta(microseconds=1) * 1000
    match = _INSTANT.fullmatch(text) if isinstance(text, str) else None
    try:
        whole = datetime.fromisoformat(match[1] + match[3]) if match else None
    except ValueError:
        whole = None
    if match is None or whole is None:
        raise SettingError(f"{str(text)[:40]!r} is no time: write 2026-01-01T00:00:00Z")
    seconds = (whole - EPOCH) // timedelta(seconds=1)
    return seconds * SECOND + int((match[2] or "0").ljust(9, "0"))


def to_datetime(instant: int) -> datetime:
    """Returns nanoseconds since the epoch as a datetime in UTC, cut to the microsecond."""
    return EPOCH + timedelta(microseconds=instant // 1000)


def instant_text(instant: int) -> str:
    """Writes a time in UTC with as many digits of a second as it has, up to nine."""
    seconds, rest = divmod(instant, SECOND)
    whole = EPOCH + timedelta(seconds=min(seconds, LAST))
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{whole:%Y-%m-%dT%H:%M:%S}{fraction}Z"


# Python's own values of time


def spelled(value: Any) -> Any:
    """Returns timedeltas and aware datetimes as text, also inside mappings and lists.

    Any other value is returned unchanged. Raises SettingError for a datetime without offset.
    """
    match value:
        case timedelta():
            return duration_text(parse_duration(value))
        case datetime():
            return instant_text(parse_instant(value))
        case dict():
            return {name: spelled(below) for name, below in value.items()}
        case list() | tuple():
            return [spelled(below) for below in value]
    return value
