"""Says that the body is of another media type."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.good import TYPE, Good

TAKES = takes.header_value


def hurt(good: Good, media_type: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Replaces the header."""
    good.headers[TYPE] = media_type
