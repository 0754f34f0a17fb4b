"""Gives the body twice, one right behind the other."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.good import Good

TAKES = takes.yes
BYTES = True


def hurt(good: Good, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Repeats it."""
    good.body *= 2
