"""Leaves a member or a row out."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.good import Good

TAKES = takes.path


def hurt(good: Good, path: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Takes away what the path leads to, from the last to the first."""
    for at, key in reversed(good.places(path)):
        del at[key]
