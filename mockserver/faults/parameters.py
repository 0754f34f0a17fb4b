"""What faults take: each reads what a rule says; raises ValueError for what it cannot be."""

from collections.abc import Callable
from typing import Any

from mockserver.faults import json_path as places
from mockserver.model.durations import SECOND, parse_duration

HOUR = 3600 * SECOND  # the longest that anything takes
TEXT_MAX = 1024  # characters of a name or a value in a head


def yes(given: Any) -> bool:
    """Reads ``true``."""
    if given is not True:
        raise ValueError("takes true, and nothing else")
    return True


def path(given: Any) -> places.Path:
    """Reads a JSON path."""
    if not isinstance(given, str):
        raise ValueError("takes a path such as $.data[0].amount")
    return places.parse(given)


def fraction(given: Any) -> float:
    """Reads a part of the whole, the whole excluded."""
    if not _number(given) or not 0 <= given < 1:
        raise ValueError("takes a fraction from 0 up to, but not, 1")
    return float(given)


def whole(least: int, most: int) -> Callable[[Any], int]:
    """Makes a reader of whole numbers."""

    def read(given: Any) -> int:
        if type(given) is not int or not least <= given <= most:
            raise ValueError(f"takes a whole number from {least} to {most}")
        return given

    return read


def time(given: Any) -> int:
    """Reads a duration, as text or in seconds, in nanoseconds, up to an hour."""
    try:
        duration = parse_duration(given)
    except ValueError:
        duration = -1
    if not 0 <= duration <= HOUR:
        raise ValueError("takes a duration such as 250ms, or seconds, of at most 1h")
    return duration


def members(given: Any, *names: str) -> list[Any]:
    """Returns the members of an object that has exactly these."""
    if not isinstance(given, dict) or set(given) != set(names):
        raise ValueError(f"takes {{{', '.join(names)}}}")
    return [given[name] for name in names]


def one_of(*words: str) -> Callable[[Any], str]:
    """Makes a reader of words."""

    def read(given: Any) -> str:
        if given not in words:
            raise ValueError(f"takes {' or '.join(words)}")
        return str(given)

    return read


def header_value(given: Any) -> bytes:
    """Reads what may stand in a header: printable ASCII in one line."""
    if not (isinstance(given, str) and given.isascii() and given.isprintable() and given.strip()):
        raise ValueError("takes printable ASCII in one line")
    short(given)
    return given.encode()


def short(text: str) -> None:
    """Raises ValueError for more than a head may hold in one place."""
    if len(text) > TEXT_MAX:
        raise ValueError(f"takes at most {TEXT_MAX} characters")


def _number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)
