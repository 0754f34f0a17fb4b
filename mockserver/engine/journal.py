"""What was asked and what was answered, bounded, redacted before it is kept."""

from collections import Counter, deque
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import astuple

from mockserver.engine.hiding import JournalRedactor
from mockserver.wire.explain import Explanation
from mockserver.wire.message import Headers

ENTRIES_MAX = 10_000
BYTES_MAX = 16 * 1024 * 1024
ENTRY_SIZE = 512  # what an entry takes beside the bytes it holds
FAULT_MAX = 1024  # characters kept of the rules' names, and of the deliveries


class Entry(Struct, frozen=True, gc=False):
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
        sizes += len(self.fault) + len(self.delivery) + len(self.response_body)
        if self.explanation is not None:
            sizes += sum(map(len, astuple(self.explanation)))
        return ENTRY_SIZE + sizes


class Journal:
    """The last entries, at most ENTRIES_MAX of them and BYTES_MAX of bytes.

    ``followers`` are called with each entry; ``redactor`` takes secrets out of one. ``met``
    counts what was met since the start or a reset: (provider, operation, reason); ``took``
    counts the requests on which a rule had an effect.
    """

    def __init__(self, redactor: JournalRedactor) -> None:
        self.redactor = redactor
        self.followers: list[Callable[[Entry], None]] = []
        self.reset()

    def reset(self) -> None:
        """Starts anew, with number 1."""
        self.clear()
        self.met: Counter[tuple[str, str, str]] = Counter()
        self.took: Counter[str] = Counter()
        self.count = 0

    def clear(self) -> None:
        """Forgets the entries; numbers go on, and so does what was met."""
        self.entries: deque[Entry] = deque()
        self._sizes: deque[int] = deque()
        self._size = 0

    def add(self, entry: Entry) -> None:
        """Keeps an entry."""
        entries, size = self.entries, entry.size
        entries.append(entry)
        self._sizes.append(size)
        self._size += size
        while self._size > BYTES_MAX or len(entries) > ENTRIES_MAX:
            entries.popleft()
            self._size -= self._sizes.popleft()
        self.met[entry.provider, entry.operation, entry.reason] += 1
        for follow in self.followers:
            follow(entry)
