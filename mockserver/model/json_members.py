"""A member that a JSON object has twice, which decoders accept silently: refused or located."""

import json
from typing import Any

from mockserver.errors import DataPath


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns the members of an object; raises ValueError for a duplicate.

    It is an ``object_pairs_hook`` of the standard library's decoder.
    """
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is given twice")
    return members


class _Duplicate(Exception):
    """An object has a member twice."""


class _Pairs(list[tuple[str, Any]]):
    """The members of an object in order, duplicates included."""


def duplicate_member(body: bytes) -> DataPath | None:
    """Returns the path of the first duplicate member in valid JSON, None when there is none."""
    try:
        json.loads(body, object_pairs_hook=_check, parse_float=_skip_number, parse_int=_skip_number)
    except _Duplicate:
        return _first(json.loads(body, object_pairs_hook=_Pairs), ())
    return None


def _skip_number(text: str) -> None:
    """Saves the time to parse a number."""


def _check(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise _Duplicate


def _first(value: Any, path: DataPath) -> DataPath | None:
    """Returns the path of the first duplicate below a path."""
    if isinstance(value, _Pairs):
        names = [name for name, _ in value]
        for n, (name, below) in enumerate(value):
            here = (*path, name)
            duplicate = here if name in names[:n] else _first(below, here)
            if duplicate:
                return duplicate
    elif isinstance(value, list):
        for n, below in enumerate(value):
            duplicate = _first(below, (*path, n))
            if duplicate:
                return duplicate
    return None
