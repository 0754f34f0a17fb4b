"""Writes every amount with so many digits after the point: more are drawn, others cut."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse, rewritten

parse = takes.whole(0, 60)


def mutate(good: MutableResponse, count: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Rewrites the amounts; no drawn digit is 0, so that none can be lost unseen."""
    for n, ((at, key), amount) in enumerate(good.amounts()):
        before, _, after = f"{amount:f}".partition(".")
        after = (after + chance.digits(count, f"digits {n}"))[:count]
        at[key] = rewritten(at[key], f"{before}.{after}" if after else before)
