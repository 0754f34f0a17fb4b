"""Counts of requests that outlive their sandboxes, for metrics."""

import threading
from collections import Counter
from collections.abc import Mapping

Exact = Mapping[tuple[str, str, int, str, str], int]  # by outcome and credential
Outcome = tuple[str, str, int, str]  # provider, operation, status, reason


class Totals:
    """Counts of requests by outcome that no journal holds any more; for any thread.

    ``faults`` counts applications of fault rules in the same way.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[Outcome] = Counter()
        self.faults = 0

    def add(self, requests: Exact) -> None:
        """Adds counts by outcome and credential; the credential is left out."""
        with self._lock:
            for (provider, operation, status, reason, _), count in requests.items():
                self._requests[provider, operation, status, reason] += count

    def add_faults(self, count: int) -> None:
        """Adds applications of fault rules."""
        with self._lock:
            self.faults += count

    def requests(self) -> Counter[Outcome]:
        """Returns a copy of the counts."""
        with self._lock:
            return Counter(self._requests)
