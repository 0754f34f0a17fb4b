"""What was asked and what was answered, bounded, redacted before it is kept."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

ENTRIES_MAX = 10_000
TARGET_MAX = 2048  # bytes kept of a target


class Entry(NamedTuple):
    """One request. ``target`` is the request target with its secrets redacted."""

    n: int
    time: int
    auth_time: int
    provider: str
    operation: str
    method: str
    target: bytes
    credential: str
    status: int
    reason: str
    note: str


class Journal:
    """The last ENTRIES_MAX entries; ``follow`` is called with each refused one."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=ENTRIES_MAX)
        self.count = 0
        self.follow: Callable[[Entry], None] | None = None

    def add(self, entry: Entry) -> None:
        """Keeps an entry."""
        self.entries.append(entry)
        if entry.reason and self.follow is not None:
            self.follow(entry)
