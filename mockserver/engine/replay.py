"""What was accepted before, for as long as it could be accepted again.

Two generations of digests: one fills, the other is remembered; after ``span``
they change places. So each digest is kept for at least ``span``, and memory is
bounded: a generation that is full is changed early. A span that was made shorter
does not count: what was accepted under the longer one is still remembered.
"""

GENERATION_MAX = 262_144


class ReplayMemory:
    """Remembers digests for a span of the auth clock (nanoseconds)."""

    def __init__(self) -> None:
        self._fresh: set[bytes] = set()
        self._stale: set[bytes] = set()
        self._since: int | None = None
        self._span = 0

    def accept(self, digest: bytes, now: int, span: int) -> bool:
        """Remembers the digest; False when it is remembered already."""
        span = self._span = max(span, self._span)
        if self._since is None:
            self._since = now
        elif now - self._since >= span or len(self._fresh) >= GENERATION_MAX:
            self._turn(now, span)
        if digest in self._fresh or digest in self._stale:
            return False
        self._fresh.add(digest)
        return True

    def _turn(self, now: int, span: int) -> None:
        long_ago = self._since is not None and now - self._since >= 2 * span
        self._stale = set() if long_ago else self._fresh
        self._fresh = set()
        self._since = now
