"""Gives the token of the page itself as that of the next page, so that a walk never ends."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.yes


def mutate(good: MutableResponse, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Replaces the token, once the walk has one and while there is a next page."""
    place = good.token()
    if place and good.page:
        at, key = place
        at[key] = good.page
