"""Adds a member that no document lists, to the answer and to every row."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.yes

NAME = "somethingNew"


def mutate(good: MutableResponse, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Adds it behind the members that are there."""
    for node in (good.tree, *(at[key] for at, key in good.rows())):
        if isinstance(node, dict):
            node[NAME] = {"since": "2026-01-01T00:00:00Z", "values": [1, "2", None]}
