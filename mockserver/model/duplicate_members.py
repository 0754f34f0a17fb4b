"""A member given twice in a JSON object, which decoders take silently, and its path."""

import json
from typing import Any


class _GivenTwice(Exception):
    pass


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written."""


def given_twice(body: bytes) -> str:
    """Returns the path of the first member given twice in good JSON, "" when there is none."""
    try:
        json.loads(body, object_pairs_hook=_check, parse_float=_nothing, parse_int=_nothing)
    except _GivenTwice:
        return _first(json.loads(body, object_pairs_hook=_Pairs), "$")
    return ""


def _nothing(text: str) -> None:
    """Saves reading a number."""


def _check(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise _GivenTwice


def _first(value: Any, path: str) -> str:
    if isinstance(value, _Pairs):
        names = [name for name, _ in value]
        for n, (name, below) in enumerate(value):
            here = f"{path}.{name}" if name.isidentifier() else f"{path}[{json.dumps(name)}]"
            found = here if name in names[:n] else _first(below, here)
            if found:
                return found
    elif isinstance(value, list):
        for n, below in enumerate(value):
            found = _first(below, f"{path}[{n}]")
            if found:
                return found
    return ""
