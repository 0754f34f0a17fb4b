"""Writes a value as another type: numbers as text and back, objects as arrays and back."""

import re
from typing import Any

import msgspec

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse, number, text_of

parse = takes.path

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def mutate(good: MutableResponse, path: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Replaces what the path leads to."""
    for at, key in good.places(path):
        at[key] = _other(at[key])


def _other(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        return text_of(value)
    if isinstance(value, str):
        return number(value) if NUMBER.fullmatch(value) else [value]
    if isinstance(value, list):
        return {"items": value}
    return [value] if isinstance(value, dict) else {True: "true", False: "false"}.get(value, "")
