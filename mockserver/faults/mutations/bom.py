"""Puts a byte order mark in front of the body."""

import codecs
from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.yes
BYTES = True


def mutate(good: MutableResponse, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Adds the three bytes."""
    good.body = codecs.BOM_UTF8 + good.body
