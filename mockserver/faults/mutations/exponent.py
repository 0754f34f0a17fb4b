"""Writes every amount with an exponent, digits and scale kept: ``1.50`` as ``1.50E+0``."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse, rewritten

parse = takes.yes


def mutate(good: MutableResponse, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Rewrites the amounts."""
    for (at, key), amount in good.amounts():
        at[key] = rewritten(at[key], f"{amount:E}")
