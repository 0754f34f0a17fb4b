"""Writes the body in another charset, and says so."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import TYPE, MutableResponse

parse = takes.one_of(
    "utf-8", "utf-16", "utf-32", "us-ascii", "iso-8859-1", "windows-1252", "shift_jis", "gb18030"
)
BYTES = True


def mutate(good: MutableResponse, charset: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Encodes the body anew; what the charset lacks becomes a question mark."""
    media_type = good.headers.get(TYPE, b"").partition(b";")[0]
    good.headers[TYPE] = media_type + b"; charset=" + charset.encode()
    good.body = good.body.decode("utf-8", "replace").encode(charset, "replace")
