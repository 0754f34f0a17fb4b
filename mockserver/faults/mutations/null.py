"""Writes null where a value was."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.path


def mutate(good: MutableResponse, path: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Replaces what the path leads to."""
    for at, key in good.places(path):
        at[key] = None
