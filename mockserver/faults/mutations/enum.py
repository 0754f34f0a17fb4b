"""Writes a word that no document lists."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.path

WORD = "SOMETHING_NEW"


def mutate(good: MutableResponse, path: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Replaces what the path leads to, in the case of what was there."""
    for at, key in good.places(path):
        small = isinstance(at[key], str) and at[key].islower()
        at[key] = WORD.lower() if small else WORD
