"""Encoded responses, cached until the ledger changes; bounded in entries and in bytes."""

import threading
from collections import OrderedDict
from typing import Any

from mockserver.engine.memory_budget import MemoryShare
from mockserver.model.http import Response

ENTRIES_MAX = 16_384
BYTES_MAX = 64 * 1024 * 1024  # holds the answers of 10,000 callers with 20 rows each
ENTRY_SIZE = 512  # bytes of a response beside its body and its key


class AnswerCache:
    """Responses for one version of a ledger.

    Beyond ENTRIES_MAX or BYTES_MAX the oldest are dropped. Their bytes count towards ``share``.
    """

    def __init__(self, share: MemoryShare | None = None) -> None:
        self._share = share or MemoryShare(threading.RLock())
        self._version = -1
        # Not a dict: finding its first item passes over all items that were removed before.
        self._responses: OrderedDict[Any, Response] = OrderedDict()
        self._size = 0

    def get(self, key: Any, version: int) -> Response | None:
        """Returns the response for this version of the ledger, or None."""
        if version != self._version:
            self._version = version
            if self._size:
                self.clear()
        return self._responses.get(key)

    def clear(self) -> None:
        """Drops every response."""
        freed, self._size = self._size, 0
        self._responses.clear()
        self._share.add(-freed)

    def put(self, key: Any, response: Response) -> None:
        """Stores the first response of a key, for the version of the last ``get``."""
        size = _size(key, response)
        self._responses[key] = response
        self._size += size
        while self._size > BYTES_MAX or len(self._responses) > ENTRIES_MAX:
            size -= self.drop_oldest()
        self._share.add(size)

    def drop_oldest(self) -> int:
        """Drops the oldest response; returns the bytes freed."""
        if not self._responses:
            return 0
        freed = _size(*self._responses.popitem(last=False))
        self._size -= freed
        return freed

    def fold(self) -> int:
        """Frees nothing: responses have no detail to drop."""
        return 0


def _size(key: Any, response: Response) -> int:
    return ENTRY_SIZE + len(response.body) + len(repr(key))
