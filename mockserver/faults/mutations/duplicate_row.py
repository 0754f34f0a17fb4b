"""Gives a row twice, the second time behind the first."""

import copy
from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.whole(0, 1_000_000)


def mutate(good: MutableResponse, row: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Repeats the row with this number, from 0; the members of an object are no such rows."""
    for at, key in good.rows()[row : row + 1]:
        if isinstance(at, list):
            at.insert(key + 1, copy.deepcopy(at[key]))
