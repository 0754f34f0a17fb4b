"""Begins a page with the row that the page before ended with."""

import copy
from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.yes

KEPT = "rows before"  # by the token of the page that follows them
KEPT_MAX = 64


def mutate(good: MutableResponse, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Repeats the row, where a walk goes on."""
    rows, last = good.rows(), memory.get(KEPT, {}).get(good.page)
    if rows and last is not None and isinstance(rows[0][0], list):
        rows[0][0].insert(0, copy.deepcopy(last))


def watch(good: MutableResponse, memory: dict[Any, Any]) -> None:
    """Remembers the last row of a page that another one follows."""
    rows, token = good.rows(), good.token()
    if not rows or token is None:
        return
    (at, key), (of, following) = rows[-1], token
    kept = memory.setdefault(KEPT, {})
    kept[of[following]] = copy.deepcopy(at[key])
    if len(kept) > KEPT_MAX:
        del kept[next(iter(kept))]
