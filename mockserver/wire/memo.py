"""What a pure function returned, remembered while there is room for it."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

ROOM = 4 * 1024 * 1024
ENTRY_SIZE = 200  # what an entry takes beside the bytes of its key
LARGEST = 64  # so many keys find room at least: larger ones are not remembered

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(dict[K, V], Generic[K, V]):
    """``memo[key]`` is ``make(key)``, made once while it is remembered.

    ``size`` tells the bytes of a key. When the keys have filled the ``room`` (bytes), all are
    forgotten: what is asked for often is soon there again.
    """

    def __init__(self, make: Callable[[K], V], size: Callable[[K], int], room: int = ROOM) -> None:
        super().__init__()
        self._make = make
        self._size_of = size
        self._room = room
        self._used = 0

    def __missing__(self, key: K) -> V:
        """Makes what is not remembered; what ``make`` raises is raised."""
        value = self._make(key)
        size = self._size_of(key) + ENTRY_SIZE
        if size <= self._room // LARGEST:
            if self._used + size > self._room:
                self.clear()
                self._used = 0
            self[key] = value
            self._used += size
        return value
