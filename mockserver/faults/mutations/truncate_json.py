"""Ends the body early; its length is right, so the message is whole and the JSON is not."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.fraction
BYTES = True


def mutate(good: MutableResponse, part: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Keeps the first part."""
    good.body = good.body[: int(len(good.body) * part)]
