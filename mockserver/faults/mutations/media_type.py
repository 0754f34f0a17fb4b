"""Says that the body is of another media type."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import TYPE, MutableResponse

parse = takes.header_value


def mutate(good: MutableResponse, media_type: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Replaces the header."""
    good.headers[TYPE] = media_type
