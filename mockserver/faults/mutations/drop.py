"""Leaves a member or a row out."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.path


def mutate(good: MutableResponse, path: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Takes away what the path leads to, from the last to the first."""
    for at, key in reversed(good.places(path)):
        del at[key]
