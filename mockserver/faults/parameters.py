"""The values that faults take: each function parses one, and raises ValueError."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mockserver.faults import json_path as paths
from mockserver.model.suggestions import did_you_mean
from mockserver.model.times import SECOND, parse_duration

HOUR = 3600 * SECOND  # the longest duration of a fault
TEXT_MAX = 1024  # characters of a header name or value

Parser = TypeVar("Parser", bound=Callable[[Any], Any])
_SCHEMAS: dict[Callable[[Any], Any], Mapping[str, Any]] = {}


def takes(**schema: Any) -> Callable[[Parser], Parser]:
    """Describes the values that the decorated parser accepts, as a JSON Schema with examples."""

    def add(parse: Parser) -> Parser:
        _SCHEMAS[parse] = schema
        return parse

    return add


def schema_of(parse: Callable[[Any], Any]) -> Mapping[str, Any]:
    """Returns the JSON Schema of a parser's values."""
    return _SCHEMAS[parse]


@takes(const=True, examples=[True])
def true(value: Any) -> bool:
    """Parses ``true``."""
    if value is not True:
        raise ValueError("takes true and nothing else")
    return True


@takes(type="string", format="json-path", examples=["$.data[0].amount"])
def json_path(value: Any) -> paths.Path:
    """Parses a JSON path."""
    if not isinstance(value, str):
        raise ValueError("takes a path such as $.data[0].amount")
    return paths.parse(value)


@takes(type="number", minimum=0, exclusiveMaximum=1, examples=[0.5])
def fraction(value: Any) -> float:
    """Parses a fraction from 0 up to, but not including, 1."""
    if not _is_number(value) or not 0 <= value < 1:
        raise ValueError("takes a fraction from 0 up to, but not including, 1")
    return float(value)


def integer(least: int, most: int) -> Callable[[Any], int]:
    """Returns a parser of whole numbers."""

    @takes(type="integer", minimum=least, maximum=most, examples=[max(least, 1)])
    def parse(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"takes a whole number from {least} to {most}")
        return value

    return parse


@takes(type=["string", "number"], format="duration", examples=["250ms"])
def duration(value: Any) -> int:
    """Parses a duration of at most an hour, as text or in seconds; returns nanoseconds."""
    try:
        nanoseconds = parse_duration(value)
    except ValueError:
        nanoseconds = -1
    if not 0 <= nanoseconds <= HOUR:
        raise ValueError("takes a duration such as 250ms, or seconds, of at most 1h")
    return nanoseconds


def members(value: Any, *names: str) -> list[Any]:
    """Returns the members of an object that has exactly these names."""
    if not isinstance(value, dict) or set(value) != set(names):
        raise ValueError(f"takes {{{', '.join(names)}}}")
    return [value[name] for name in names]


def one_of(*words: str) -> Callable[[Any], str]:
    """Returns a parser of one of these words."""

    @takes(enum=list(words), examples=[words[0]])
    def parse(value: Any) -> str:
        if value not in words:
            raise ValueError(f"takes {' or '.join(words)}{did_you_mean(str(value), words)}")
        return str(value)

    return parse


@takes(type="string", maxLength=TEXT_MAX, examples=["text/html"])
def header_value(value: Any) -> bytes:
    """Parses a header value: printable ASCII in one line."""
    if not (isinstance(value, str) and value.isascii() and value.isprintable() and value.strip()):
        raise ValueError("takes printable ASCII in one line")
    check_length(value)
    return value.encode()


def check_length(text: str) -> None:
    """Raises ValueError for a header name or value that is too long."""
    if len(text) > TEXT_MAX:
        raise ValueError(f"takes at most {TEXT_MAX} characters")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
