"""Leaves a row out."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.good import Good

TAKES = takes.whole(0, 1_000_000)


def hurt(good: Good, row: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Takes away the row with this number, from 0."""
    for at, key in good.rows()[row : row + 1]:
        del at[key]
