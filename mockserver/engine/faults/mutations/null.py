"""Writes null where a value was."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.good import Good

TAKES = takes.path


def hurt(good: Good, path: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Replaces what the path leads to."""
    for at, key in good.places(path):
        at[key] = None
