"""Gives a page without rows; its token stays."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.good import Good

TAKES = takes.yes


def hurt(good: Good, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Takes every row away."""
    for at, key in reversed(good.rows()):
        del at[key]
