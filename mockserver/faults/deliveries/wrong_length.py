"""Announces a body longer or shorter than the one that follows, then closes."""

import re
from typing import Any

from mockserver.faults.chance import Chance
from mockserver.faults.script import LENGTH, CloseStep, Script, with_head

MOST = 1_000_000

_FORM = re.compile(r"[+-][0-9]{1,7}")


def _read(given: Any) -> int:
    if isinstance(given, str) and _FORM.fullmatch(given):
        given = int(given)
    if type(given) is not int or not 0 < abs(given) <= MOST:
        raise ValueError(f"takes +n or -n, n from 1 to {MOST}")
    return given


parse = _read


def deliver(script: Script, off: Any, chance: Chance) -> Script:
    """Changes the announced length, never below nothing; no other answer may follow."""

    def wrong(found: re.Match[bytes]) -> bytes:
        return found[1] + b"%d" % max(int(found[2]) + off, 0)

    return [*with_head(script, lambda head: LENGTH.sub(wrong, head, count=1)), CloseStep()]
