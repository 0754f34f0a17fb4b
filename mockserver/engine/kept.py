"""Answers, encoded, kept until the ledger changes; bounded in entries and in bytes."""

from collections import OrderedDict, deque
from typing import Any

from mockserver.wire.message import Response

ENTRIES_MAX = 16_384
BYTES_MAX = 32 * 1024 * 1024
ENTRY_SIZE = 512  # what an answer takes beside its body and what was asked


class Kept:
    """Answers that hold for one state of a ledger.

    Beyond ENTRIES_MAX, or BYTES_MAX of them together, those put first are dropped.
    """

    def __init__(self) -> None:
        self._version = -1
        # Not a plain dictionary: in that, finding the first passes all that were dropped before.
        self._values: OrderedDict[Any, Response] = OrderedDict()
        self._sizes: deque[int] = deque()
        self._size = 0

    def get(self, key: Any, version: int) -> Response | None:
        """Returns what was put there for this version of the ledger, or None."""
        if version != self._version:
            self._version = version
            self._values.clear()
            self._sizes.clear()
            self._size = 0
        return self._values.get(key)

    def put(self, key: Any, answer: Response) -> None:
        """Keeps an answer, of which there is none yet, for the version ``get`` last asked for."""
        size = ENTRY_SIZE + len(answer.body) + len(repr(key))
        self._values[key] = answer
        self._sizes.append(size)
        self._size += size
        while self._size > BYTES_MAX or len(self._values) > ENTRIES_MAX:
            self._values.popitem(last=False)
            self._size -= self._sizes.popleft()
