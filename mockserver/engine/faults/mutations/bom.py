"""Puts a byte order mark in front of the body."""

import codecs
from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.good import Good

TAKES = takes.yes
BYTES = True


def hurt(good: Good, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Adds the three bytes."""
    good.body = codecs.BOM_UTF8 + good.body
