"""What a pure function returned, remembered while there is room for it."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

ROOM = 4 * 1024 * 1024
ENTRY_SIZE = 200  # what an entry takes beside the bytes of its key
KEYS_MIN = 64  # which find room together at least: larger ones are not remembered

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(dict[K, V], Generic[K, V]):
    """``memo[key]`` is ``make(key)``, remembered when it was asked for a second time.

    So what never comes again takes no room; ``at_once`` remembers at the first time. ``size``
    tells the bytes of a key. When the keys have filled the ``room`` (bytes), all are
    forgotten: what is asked for often is soon there again.
    """

    def __init__(
        self,
        make: Callable[[K], V],
        size: Callable[[K], int],
        room: int = ROOM,
        *,
        at_once: bool = False,
    ) -> None:
        super().__init__()
        self._make = make
        self._size_of = size
        self._room = room
        self._used = 0
        self._at_once = at_once
        self._met: set[int] = set()

    def __missing__(self, key: K) -> V:
        """Makes what is not remembered; what ``make`` raises is raised."""
        value = self._make(key)
        if self._at_once or self._again(hash(key)):
            size = self._size_of(key) + ENTRY_SIZE
            if size <= self._room // KEYS_MIN:
                self._put(key, value, size)
        return value

    def _again(self, known: int) -> bool:
        if known in self._met:
            self._met.discard(known)
            return True
        if len(self._met) >= self._room // ENTRY_SIZE:
            self._met.clear()
        self._met.add(known)
        return False

    def _put(self, key: K, value: V, size: int) -> None:
        if self._used + size > self._room:
            self.clear()
            self._used = 0
        self[key] = value
        self._used += size
