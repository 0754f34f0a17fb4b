"""What was asked and what was answered, bounded, redacted before it is kept."""

import threading
from collections import Counter, deque
from collections.abc import Callable
from sys import getsizeof

from msgspec import Struct
from msgspec.structs import astuple

from mockserver.engine.memory_budget import MemoryShare
from mockserver.engine.redactor import JournalRedactor
from mockserver.engine.request_counts import Counts
from mockserver.explain import Explanation
from mockserver.model.http import Headers

ENTRIES_MAX = 10_000
JOURNAL_BYTES_MAX = 16 * 1024 * 1024
# What an entry takes beside the bytes it holds, as measured: objects have heads, numbers too.
ENTRY_SIZE = 640
HEADER_SIZE = 128
EXPLANATION_SIZE = 64
FAULT_MAX = 1024  # characters kept of the rules' names, and of the deliveries


class JournalEntry(Struct, frozen=True, gc=False):
    """One request, its secrets redacted. Times and ``duration`` are nanoseconds.

    ``request_headers`` are lines; ``duration`` is real time, from when the request was
    whole until its answer was made. ``fault`` names the rules that had an effect,
    ``delivery`` how the answer was sent, where that was not just so.
    """

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
    fault: str
    delivery: str
    duration: int
    request_headers: bytes
    request_body: bytes
    response_headers: Headers
    response_body: bytes
    explanation: Explanation | None = None

    @property
    def size(self) -> int:
        """The bytes it counts for."""
        sizes = len(self.target) + len(self.request_headers) + len(self.request_body)
        sizes += len(self.response_body)
        sizes += len(self.response_headers) * HEADER_SIZE
        if self.fault:  # a rule may bring headers of any size
            sizes += sum([len(name) + len(value) for name, value in self.response_headers])
            sizes += getsizeof(self.fault) + getsizeof(self.delivery)
        if self.explanation is not None:
            sizes += EXPLANATION_SIZE + sum(map(getsizeof, astuple(self.explanation)))
        return ENTRY_SIZE + sizes


class Journal:
    """The last entries, at most ENTRIES_MAX of them and BYTES_MAX of bytes.

    ``followers`` are called with each entry; ``redactor`` takes secrets out of one. ``counts``
    counts all requests, those too whose entries were dropped; ``applied_rules`` requests on which a
    rule had an effect. Bytes count towards ``share``.
    """

    def __init__(self, redactor: JournalRedactor, share: MemoryShare | None = None) -> None:
        self.redactor = redactor
        self.followers: list[Callable[[JournalEntry], None]] = []
        self._share = share or MemoryShare(threading.RLock())
        self.counts = Counts()
        self.count = 0
        self._size = 0
        self.reset()

    def reset(self) -> None:
        """Starts anew, with number 1."""
        self.count = 0
        self.clear()
        self.counts = Counts()
        self.applied_rules: Counter[str] = Counter()

    def clear(self) -> None:
        """Forgets the entries; numbers go on, and so does what coverage tells."""
        freed = self._size + self.counts.clear()
        self._cleared = self.count
        self.entries: deque[JournalEntry] = deque()
        self._sizes: deque[int] = deque()
        self._size = 0
        self._share.add(-freed)

    @property
    def dropped(self) -> int:
        """How many entries were dropped since the start or the last ``clear``."""
        return self.count - self._cleared - len(self.entries)

    def add(self, entry: JournalEntry) -> None:
        """Keeps an entry."""
        entries, size = self.entries, entry.size
        entries.append(entry)
        self._sizes.append(size)
        self._size += size
        while self._size > JOURNAL_BYTES_MAX or len(entries) > ENTRIES_MAX:
            size -= self.drop_oldest()
        exact = self.counts.exact
        key = (entry.provider, entry.operation, entry.status, entry.reason, entry.credential)
        if key in exact:
            exact[key] += 1
        else:
            size += self.counts.add(key)
        self._share.add(size)
        for follow in self.followers:
            follow(entry)

    def drop_oldest(self) -> int:
        """Drops the oldest entry; returns the bytes that this frees."""
        if not self.entries:
            return 0
        self.entries.popleft()
        freed = self._sizes.popleft()
        self._size -= freed
        return freed

    def fold(self) -> int:
        """Gives up by which status and credential requests are counted; returns bytes freed."""
        return self.counts.fold()
