"""The Date of an answer: uvicorn's, or that of an exchange whose clock is off."""

from email.utils import formatdate
from typing import Any

from mockserver.model.times import SECOND


def date_as(now: int, send: Any) -> None:
    """Lets uvicorn date the answer so, in nanoseconds since the epoch, and only this one."""
    cycle: Any = getattr(send, "__self__", None)
    if hasattr(cycle, "default_headers"):
        date = formatdate(now // SECOND, usegmt=True).encode()
        others = [pair for pair in cycle.default_headers if pair[0] != b"date"]
        cycle.default_headers = [(b"date", date), *others]
