"""Begins a page with the row that the page before ended with."""

import copy
from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.good import Good

TAKES = takes.yes

KEPT_MAX = 64  # callers whose last row a rule remembers


def hurt(good: Good, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Repeats the row, where a walk goes on."""
    rows, last = good.rows(), memory.get(("before", good.caller))
    if rows and good.page and last is not None and isinstance(rows[0][0], list):
        rows[0][0].insert(0, last)


def watch(good: Good, memory: dict[Any, Any]) -> None:
    """Remembers the last row of this page, and hands out that of the page before."""
    rows = good.rows()
    if not rows or len(memory) >= 2 * KEPT_MAX:
        return
    at, key = rows[-1]
    memory["before", good.caller] = memory.get(("now", good.caller))
    memory["now", good.caller] = copy.deepcopy(at[key])
