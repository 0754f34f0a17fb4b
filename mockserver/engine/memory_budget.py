"""One bound, in bytes, for the journals and cached responses of all sandboxes together.

When it is reached, the sandbox that was used least recently loses its oldest responses and entries
first. A sandbox that is in use in another thread is skipped.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

from mockserver.errors import SettingError

BUDGET = 256 * 1024 * 1024
BUDGET_MIN = 1024 * 1024
STEP = 16 * 1024  # bytes by which a share may differ from what it last reported

UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
SIZE = re.compile(r"([0-9]{1,15})(KiB|MiB|GiB|)")


def parse_size(value: str | int) -> int:
    """Returns the bytes of ``256MiB``, ``1GiB`` or ``65536``; raises SettingError."""
    match = SIZE.fullmatch(str(value))
    if match is None or isinstance(value, bool):
        raise SettingError(f"a size is a number and KiB, MiB or GiB, as in 256MiB; not {value!r}")
    return int(match[1]) * UNITS[match[2]]


class Store(Protocol):
    """A store that can drop its oldest part."""

    def drop_oldest(self) -> int:
        """Drops the oldest part; returns the bytes freed, 0 when there is none."""

    def fold(self) -> int:
        """Drops detail when there is no part to drop; returns the bytes freed."""


class MemoryShare:
    """The stores of one sandbox, and the bytes that they take together.

    Every method is called under ``lock``, the sandbox's.
    """

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.stores: tuple[Store, ...] = ()
        self.used = 0
        self.reported = 0  # the bytes that the budget has counted
        self.pinned = 0  # the part of ``used`` that is never dropped
        self._budget: MemoryBudget | None = None

    def add(self, size: int) -> None:
        """Counts bytes that a store takes, or frees when negative; may shrink other sandboxes."""
        self.used += size
        if not -STEP < self.used - self.reported < STEP and self._budget is not None:
            self._budget.update(self)

    def pin(self, size: int) -> bool:
        """Counts bytes that are never dropped, or frees when negative; False for too many."""
        if self._budget is not None and not self._budget.pin(size):
            return False
        self.pinned += size
        self.add(size)
        return True

    def join(self, budget: "MemoryBudget") -> None:
        """Counts towards a budget from now on."""
        self._budget = budget
        budget.update(self)

    def leave(self) -> None:
        """Counts towards the budget no longer."""
        if self._budget is not None:
            self._budget.forget(self)
            self._budget = None

    def drop_oldest(self) -> int:
        """Drops the oldest part of the first store that has one; returns the bytes freed."""
        return self._freed(next(filter(None, (s.drop_oldest() for s in self.stores)), 0))

    def fold(self) -> int:
        """Drops detail; returns the bytes freed."""
        return self._freed(sum([store.fold() for store in self.stores]))

    def _freed(self, size: int) -> int:
        self.used -= size
        self.reported -= size
        return size


class MemoryBudget:
    """The bytes that all shares together may take, within a STEP for each."""

    def __init__(self, limit: int = BUDGET) -> None:
        if limit < BUDGET_MIN:
            raise SettingError(f"a memory budget has at least {BUDGET_MIN} bytes, not {limit}")
        self.limit = limit
        self._reported = 0
        self._pinned = 0
        self._lock = threading.Lock()
        self._joined: set[MemoryShare] = set()
        self._order: OrderedDict[MemoryShare, None] = OrderedDict()  # least recently used first
        self._empty: OrderedDict[MemoryShare, None] = OrderedDict()  # shares without a part to drop

    @property
    def used(self) -> int:
        """The bytes that all shares take now."""
        with self._lock:
            return sum([share.used for share in self._joined])

    def update(self, share: MemoryShare) -> None:
        """Counts the bytes of a share, the one used last; shrinks others when they are too many."""
        with self._lock:
            self._reported += share.used - share.reported
            share.reported = share.used
            self._joined.add(share)
            self._order[share] = None
            self._order.move_to_end(share)
            self._empty.pop(share, None)
            if self._reported <= self.limit:
                return
        self._shrink(share)

    def pin(self, size: int) -> bool:
        """Counts bytes that are never dropped; they are at most half of all."""
        with self._lock:
            if size > 0 and self._pinned + size > self.limit // 2:
                return False
            self._pinned += size
            return True

    def forget(self, share: MemoryShare) -> None:
        """Removes a share."""
        with self._lock:
            self._pinned -= share.pinned
            self._reported -= share.reported
            share.reported = 0
            self._joined.discard(share)
            self._order.pop(share, None)
            self._empty.pop(share, None)

    def _shrink(self, share: MemoryShare) -> None:
        while self._reported > self.limit and (other := self._next(self._order, share)):
            try:
                self._drop(other, other.drop_oldest)
            finally:
                other.lock.release()
        while self._reported > self.limit and (other := self._next(self._empty, share)):
            try:
                self._drop(other, other.fold)
            finally:
                with self._lock:
                    self._empty.pop(other, None)
                other.lock.release()
        if self._reported > self.limit:
            self._drop(share, share.drop_oldest)

    def _next(self, order: OrderedDict[MemoryShare, None], skip: MemoryShare) -> MemoryShare | None:
        """Returns the least recently used share that is not in use, locked."""
        with self._lock:
            for share in order:
                if share is not skip and share.lock.acquire(blocking=False):
                    return share
        return None

    def _drop(self, share: MemoryShare, drop: Callable[[], int]) -> None:
        """Drops parts of a share until the budget is met or no part is left."""
        while self._reported > self.limit:
            freed = drop()
            with self._lock:
                self._reported -= freed
                if not freed:
                    self._order.pop(share, None)
                    self._empty[share] = None
                    return
