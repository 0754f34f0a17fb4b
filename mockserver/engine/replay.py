"""The digests of accepted requests, for as long as a replay could be accepted.

There are two generations of digests: new digests go to the fresh one, and after ``window`` it
becomes the stale one. So each digest is remembered for at least ``window``, unless GENERATION_MAX
digests arrive earlier. A window never shrinks: it is the longest one so far.
"""

GENERATION_MAX = 262_144  # digests


class ReplayMemory:
    """Remembers digests for a window of the auth clock (nanoseconds)."""

    def __init__(self) -> None:
        self._fresh: set[bytes] = set()
        self._stale: set[bytes] = set()
        self._since: int | None = None
        self._window = 0

    def accept(self, digest: bytes, now: int, window: int) -> bool:
        """Adds the digest; returns False when it is a replay. Times are nanoseconds."""
        if window != self._window:
            window = self._window = max(window, self._window)
        if self._since is None:
            self._since = now
        elif now - self._since >= window or len(self._fresh) >= GENERATION_MAX:
            self._age_generations(now, window)
        if digest in self._fresh or digest in self._stale:
            return False
        self._fresh.add(digest)
        return True

    def _age_generations(self, now: int, window: int) -> None:
        long_ago = self._since is not None and now - self._since >= 2 * window
        self._stale = set() if long_ago else self._fresh
        self._fresh = set()
        self._since = now
