"""Answers, encoded, kept until the ledger changes; bounded in entries and in bytes."""

import threading
from collections import OrderedDict, deque
from typing import Any

from mockserver.engine.memory_budget import MemoryShare
from mockserver.model.http import Response

ENTRIES_MAX = 16_384
BYTES_MAX = 32 * 1024 * 1024
ENTRY_SIZE = 512  # what an answer takes beside its body and what was asked


class AnswerCache:
    """Answers that hold for one state of a ledger.

    Beyond ENTRIES_MAX, or BYTES_MAX of them together, those put first are dropped; their bytes
    count towards ``share``.
    """

    def __init__(self, share: MemoryShare | None = None) -> None:
        self._share = share or MemoryShare(threading.RLock())
        self._version = -1
        # Not a plain dictionary: in that, finding the first passes all that were dropped before.
        self._values: OrderedDict[Any, Response] = OrderedDict()
        self._sizes: deque[int] = deque()
        self._size = 0

    def get(self, key: Any, version: int) -> Response | None:
        """Returns what was put there for this version of the ledger, or None."""
        if version != self._version:
            self._version = version
            if self._size:
                self.clear()
        return self._values.get(key)

    def clear(self) -> None:
        """Drops every answer."""
        freed, self._size = self._size, 0
        self._values.clear()
        self._sizes.clear()
        self._share.add(-freed)

    def put(self, key: Any, answer: Response) -> None:
        """Keeps an answer, of which there is none yet, for the version ``get`` last asked for."""
        size = ENTRY_SIZE + len(answer.body) + len(repr(key))
        self._values[key] = answer
        self._sizes.append(size)
        self._size += size
        while self._size > BYTES_MAX or len(self._values) > ENTRIES_MAX:
            size -= self.drop_oldest()
        self._share.add(size)

    def drop_oldest(self) -> int:
        """Drops the answer that was put first; returns the bytes that this frees."""
        if not self._sizes:
            return 0
        self._values.popitem(last=False)
        freed = self._sizes.popleft()
        self._size -= freed
        return freed

    def fold(self) -> int:
        """Frees nothing: answers have no detail to give up."""
        return 0
