"""The journal: the last requests with their responses, and counts of all requests.

The pipeline redacts an entry before it adds it here.
"""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from sys import getsizeof

from msgspec import Struct
from msgspec.structs import astuple

from mockserver.engine.memory_budget import MemoryShare
from mockserver.engine.redactor import JournalRedactor
from mockserver.engine.totals import Totals
from mockserver.explain import Explanation
from mockserver.model.http import Headers

ENTRIES_MAX = 10_000
JOURNAL_BYTES_MAX = 16 * 1024 * 1024
# Measured bytes of an entry beside its texts, of a response header, and of an explanation.
ENTRY_SIZE = 640
HEADER_SIZE = 128
EXPLANATION_SIZE = 64
FAULT_MAX = 1024  # characters kept of the rules' names, and of the deliveries

KEYS_MAX = 1_000  # exact keys of request counts
KEY_SIZE = 320  # bytes of one
RULES_MAX = 4_000  # rules of which applications are counted: twice as many as a sandbox has
RULE_SIZE = 256  # bytes of one

Exact = tuple[str, str, int, str, str]  # provider, operation, status, reason, credential
Coarse = tuple[str, str, str]  # provider, operation, reason


class JournalEntry(Struct, frozen=True, gc=False):
    """One request, redacted. Times are nanoseconds since the epoch, ``duration`` nanoseconds.

    ``request_headers`` are lines; ``duration`` is monotonic time, from the complete request to
    its response. ``fault`` names the rules that had an effect, ``delivery`` the deliveries that
    change how the response is sent.
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
        """The bytes that the entry takes."""
        texts = len(self.target) + len(self.request_headers) + len(self.request_body)
        sizes = texts + len(self.response_body) + len(self.response_headers) * HEADER_SIZE
        if self.fault:  # the headers of a rule have any size
            sizes += sum([len(name) + len(value) for name, value in self.response_headers])
            sizes += getsizeof(self.fault) + getsizeof(self.delivery)
        if self.explanation is not None:
            sizes += EXPLANATION_SIZE + sum(map(getsizeof, astuple(self.explanation)))
        return ENTRY_SIZE + sizes


class CountsState(Struct, frozen=True):
    """The counts of all requests at one moment."""

    exact: Mapping[Exact, int]
    rest: Mapping[Coarse, int]
    earlier: Mapping[Coarse, int]
    applied_rules: Mapping[str, int]


class RequestCounts:
    """Counts of all requests: ``exact`` by provider, operation, status, reason and credential.

    Beyond KEYS_MAX such keys, ``rest`` counts new ones without status and credential.

    ``earlier`` are those before the journal was last cleared, which coverage includes.
    ``applied_rules`` counts the requests on which a rule had an effect, by the rule's name.
    ``totals`` takes over what is dropped from ``exact`` and ``applied_rules``.
    """

    def __init__(self, totals: Totals) -> None:
        self.totals = totals
        self.exact: dict[Exact, int] = {}
        self.rest: Counter[Coarse] = Counter()
        self.earlier: Counter[Coarse] = Counter()
        self.applied_rules: OrderedDict[str, int] = OrderedDict()  # least recently applied first

    def add(self, key: Exact) -> int:
        """Counts the first request of a key; returns the bytes that this takes."""
        if len(self.exact) >= KEYS_MAX:
            self.rest[key[0], key[1], key[3]] += 1
            self.totals.add({key: 1})
            return 0
        self.exact[key] = 1
        return KEY_SIZE

    def add_rules(self, names: Iterable[str]) -> int:
        """Counts an application of each rule; returns the bytes that this takes.

        Beyond RULES_MAX names the one applied least recently is forgotten.
        """
        counts, before = self.applied_rules, len(self.applied_rules)
        for name in names:
            counts[name] = counts.get(name, 0) + 1
            counts.move_to_end(name)
            if len(counts) > RULES_MAX:
                self.totals.add_faults(counts.popitem(last=False)[1])
        return (len(counts) - before) * RULE_SIZE

    def clear(self) -> int:
        """Starts the counts of verify anew, not those of coverage; returns the bytes freed."""
        freed = self.fold()
        self.earlier.update(self.rest)
        self.rest.clear()
        return freed

    def reset(self) -> int:
        """Starts all counts anew; returns the bytes freed."""
        freed = self.fold() + len(self.applied_rules) * RULE_SIZE
        self.totals.add_faults(sum(self.applied_rules.values()))
        for counts in (self.rest, self.earlier, self.applied_rules):
            counts.clear()
        return freed

    def fold(self) -> int:
        """Drops status and credential from the counts; returns the bytes freed."""
        freed = len(self.exact) * KEY_SIZE
        self.totals.add(self.exact)
        for (provider, operation, _, reason, _), count in self.exact.items():
            self.rest[provider, operation, reason] += count
        self.exact.clear()
        return freed

    def state(self) -> CountsState:
        """Returns the counts."""
        return CountsState(
            dict(self.exact), dict(self.rest), dict(self.earlier), dict(self.applied_rules)
        )

    def restore(self, state: CountsState) -> int:
        """Puts other counts in place of its own; returns the bytes that they take more."""
        freed = self.reset()
        self.totals.add({key: -count for key, count in state.exact.items()})  # counted before
        self.totals.add_faults(-sum(state.applied_rules.values()))
        self.exact, self.applied_rules = dict(state.exact), OrderedDict(state.applied_rules)
        self.rest, self.earlier = Counter(state.rest), Counter(state.earlier)
        return len(self.exact) * KEY_SIZE + len(self.applied_rules) * RULE_SIZE - freed

    @property
    def seen_counts(self) -> Counter[Coarse]:
        """The counts since the start or the last reset, by provider, operation and reason."""
        counts = self.earlier + self.rest
        for (provider, operation, _, reason, _), count in self.exact.items():
            counts[provider, operation, reason] += count
        return counts


class JournalState(Struct, frozen=True):
    """A journal at one moment."""

    entries: tuple[JournalEntry, ...]
    count: int
    cleared: int
    counts: CountsState


class Journal:
    """The last entries, at most ENTRIES_MAX of them and JOURNAL_BYTES_MAX bytes.

    ``followers`` are called with each new entry. ``counts`` includes the requests of dropped
    entries. The bytes of both count towards ``share``. ``cleared`` is the number of the last
    entry before the journal was cleared, ``resets`` how often the numbers began anew.
    """

    def __init__(
        self,
        redactor: JournalRedactor,
        share: MemoryShare | None = None,
        totals: Totals | None = None,
    ) -> None:
        self.redactor = redactor
        self.followers: list[Callable[[JournalEntry], None]] = []
        self.streams = 0  # followers that are streams of the control API
        self.totals = totals or Totals()
        self.counts = RequestCounts(self.totals)
        self._share = share or MemoryShare(threading.RLock())
        self.count = 0
        self.resets = 0
        self._size = 0
        self.clear()

    def reset(self) -> None:
        """Removes the entries and all counts; the next entry is number 1."""
        self.count = 0
        self.resets += 1
        self.clear()
        self._share.add(-self.counts.reset())

    def clear(self) -> None:
        """Removes the entries; their numbers and the counts of coverage go on."""
        freed = self._size + self.counts.clear()
        self.cleared = self.count
        self.entries: deque[JournalEntry] = deque()
        self._sizes: deque[int] = deque()
        self._size = 0
        self._share.add(-freed)

    def state(self, *, entries: bool = True) -> JournalState:
        """Returns the entries and the counts; without ``entries`` the counts alone."""
        known = tuple(self.entries) if entries else ()
        return JournalState(known, self.count, self.cleared, self.counts.state())

    def restore(self, state: JournalState) -> None:
        """Puts entries and counts of a state in place of its own."""
        self.clear()
        self.count, self.cleared = state.count, state.cleared
        self.resets += 1
        self._share.add(self.counts.restore(state.counts))
        self.entries = deque(state.entries)
        self._sizes = deque([entry.size for entry in state.entries])
        self._size = sum(self._sizes)
        self._share.add(self._size)

    @property
    def dropped(self) -> int:
        """How many entries were dropped since the start or the last ``clear``."""
        return self.count - self.cleared - len(self.entries)

    def add(self, entry: JournalEntry, more: int = 0) -> None:
        """Appends an entry and drops the oldest beyond the bounds.

        ``more`` are bytes that the request takes elsewhere in the sandbox.
        """
        entries, size = self.entries, entry.size
        entries.append(entry)
        self._sizes.append(size)
        self._size += size
        while self._size > JOURNAL_BYTES_MAX or len(entries) > ENTRIES_MAX:
            size -= self.drop_oldest()
        exact = self.counts.exact
        key = (entry.provider, entry.operation, entry.status, entry.reason, entry.credential)
        known = exact.get(key)
        if known:
            exact[key] = known + 1
        else:
            size += self.counts.add(key)
        self._share.add(size + more)
        for follow in self.followers:
            follow(entry)

    def count_rules(self, names: Iterable[str]) -> None:
        """Counts the rules that had an effect on one request."""
        self._share.add(self.counts.add_rules(names))

    def drop_oldest(self) -> int:
        """Drops the oldest entry; returns the bytes freed."""
        if not self.entries:
            return 0
        self.entries.popleft()
        freed = self._sizes.popleft()
        self._size -= freed
        return freed

    def fold(self) -> int:
        """Drops status and credential from the request counts; returns the bytes freed."""
        return self.counts.fold()
