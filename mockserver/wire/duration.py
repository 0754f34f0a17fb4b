"""Durations as people write them (``250ms``, ``61s``, ``5m``, ``1h``), in nanoseconds."""

import re

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
UNITS = {"ms": MILLISECOND, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}

_FORM = re.compile(r"(-?)([0-9]{1,9})(ms|s|m|h)")


def nanoseconds(text: str) -> int:
    """Reads a duration such as ``61s`` or ``-400s``; raises ValueError for any other text."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"{text!r} is no duration: write 250ms, 61s, 5m or 1h")
    sign, count, unit = found.groups()
    return int(count) * UNITS[unit] * (-1 if sign else 1)


def text(duration: int) -> str:
    """Writes a duration, in milliseconds where whole seconds do not do."""
    if duration % SECOND == 0:
        return f"{duration // SECOND}s"
    return f"{duration // MILLISECOND}ms"
