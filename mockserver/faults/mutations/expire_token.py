"""Gives a token of the next page that will be refused."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.yes


def mutate(good: MutableResponse, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Changes the token's first character."""
    place = good.token()
    if place:
        at, key = place
        at[key] = ("B" if at[key][0] == "A" else "A") + at[key][1:]
