"""Leaves a row out."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.whole(0, 1_000_000)


def mutate(good: MutableResponse, row: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Takes away the row with this number, from 0."""
    for at, key in good.rows()[row : row + 1]:
        del at[key]
