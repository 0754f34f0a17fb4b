"""Writes every amount with an exponent, digits and scale kept: ``1.50`` as ``1.50E+0``."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.good import Good, rewritten

TAKES = takes.yes


def hurt(good: Good, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Rewrites the amounts."""
    for (at, key), amount in good.amounts():
        at[key] = rewritten(at[key], f"{amount:E}")
