"""Gives the answer that this request got when the rule first saw it."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.good import Good

TAKES = takes.yes

LATE = -1  # what else is done is done to the old answer

KEPT_MAX = 64  # answers that a rule remembers


def watch(good: Good, memory: dict[Any, Any]) -> None:
    """Remembers the first answer to each request."""
    if len(memory) < KEPT_MAX:
        memory.setdefault((good.caller, good.target), good.body)


def hurt(good: Good, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Gives it again."""
    good.body = memory.get((good.caller, good.target), good.body)
