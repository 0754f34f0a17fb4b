"""Gives the answer that this request got when the rule first saw it."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.yes

LATE = -1  # what else is done is done to the old answer

KEPT = "answers before"  # by caller and target
KEPT_MAX = 64  # answers that a rule remembers
SIZE_MAX = 4 * 1024 * 1024  # bytes of all of them


def watch(good: MutableResponse, memory: dict[Any, Any]) -> None:
    """Remembers the first answer to each request, while there is room."""
    kept = memory.setdefault(KEPT, {})
    room = SIZE_MAX - sum(map(len, kept.values()))
    if len(kept) < KEPT_MAX and len(good.body) <= room:
        kept.setdefault((good.caller, good.target), good.body)


def mutate(good: MutableResponse, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Gives it again."""
    good.body = memory.get(KEPT, {}).get((good.caller, good.target), good.body)
