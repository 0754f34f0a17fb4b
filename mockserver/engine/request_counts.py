"""How many requests there were, by what verify and coverage ask for: it outlives their entries."""

from collections import Counter

KEYS_MAX = 1_000  # different keys that are counted exactly
KEY_SIZE = 320  # bytes that one takes

Exact = tuple[str, str, int, str, str]  # provider, operation, status, reason, credential
Coarse = tuple[str, str, str]  # provider, operation, reason


class Counts:
    """Counts of requests: ``exact`` by every key, ``rest`` by few where keys are too many.

    ``earlier`` are those before the journal was last cleared, which coverage includes.
    """

    def __init__(self) -> None:
        self.exact: dict[Exact, int] = {}
        self.rest: Counter[Coarse] = Counter()
        self.earlier: Counter[Coarse] = Counter()

    def add(self, key: Exact) -> int:
        """Counts a request of a new key; returns the bytes that this takes."""
        if len(self.exact) >= KEYS_MAX:
            self.rest[key[0], key[1], key[3]] += 1
            return 0
        self.exact[key] = 1
        return KEY_SIZE

    def clear(self) -> int:
        """Starts anew for verify; coverage goes on. Returns the bytes that this frees."""
        freed = self.fold()
        self.earlier.update(self.rest)
        self.rest.clear()
        return freed

    def fold(self) -> int:
        """Gives up status and credential; returns the bytes that this frees."""
        freed = len(self.exact) * KEY_SIZE
        for (provider, operation, _, reason, _), count in self.exact.items():
            self.rest[provider, operation, reason] += count
        self.exact.clear()
        return freed

    @property
    def seen_counts(self) -> Counter[Coarse]:
        """What was met since the start: by provider, operation and reason."""
        met = self.earlier + self.rest
        for (provider, operation, _, reason, _), count in self.exact.items():
            met[provider, operation, reason] += count
        return met
