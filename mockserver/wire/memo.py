"""What a pure function returned, remembered while there is room for it."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KEYS_MAX = 1024
SIZE_MAX = 1024

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(dict[K, V], Generic[K, V]):
    """``memo[key]`` is ``make(key)``, made once while it is remembered.

    Nothing is kept of a key whose ``size`` is above SIZE_MAX. When as many as ``keys`` are
    remembered, all are forgotten: what is asked for often is soon there again.
    """

    def __init__(
        self, make: Callable[[K], V], size: Callable[[K], int], keys: int = KEYS_MAX
    ) -> None:
        super().__init__()
        self._make = make
        self._size_of = size
        self._keys = keys

    def __missing__(self, key: K) -> V:
        """Makes what is not remembered; what ``make`` raises is raised."""
        value = self._make(key)
        if self._size_of(key) <= SIZE_MAX:
            if len(self) >= self._keys:
                self.clear()
            self[key] = value
        return value
