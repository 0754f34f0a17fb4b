"""The digests of accepted requests, for as long as a replay could be accepted.

There are two generations of digests: new digests go to the fresh one, and after ``window`` it
becomes the stale one. So each digest is remembered for at least ``window``, unless GENERATION_MAX
digests arrive earlier. A window never shrinks: it is the longest one so far.
"""

from collections.abc import Collection
from itertools import islice

from msgspec import Struct

GENERATION_MAX = 262_144  # digests


class ReplayState(Struct, frozen=True, forbid_unknown_fields=True):
    """The first ``count`` digests of the fresh generation, which may grow, and the rest.

    ``since`` and ``window`` are nanoseconds.
    """

    fresh: Collection[bytes] = ()
    count: int = 0
    stale: Collection[bytes] = ()
    since: int | None = None
    window: int = 0


class ReplayMemory:
    """Remembers digests for a window of the auth clock (nanoseconds)."""

    def __init__(self) -> None:
        self._fresh: dict[bytes, None] = {}  # only ever grows, so that a state is its length
        self._stale: Collection[bytes] = {}
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
        self._fresh[digest] = None
        return True

    def _age_generations(self, now: int, window: int) -> None:
        long_ago = self._since is not None and now - self._since >= 2 * window
        self._stale = {} if long_ago else self._fresh
        self._fresh = {}
        self._since = now

    def state(self) -> ReplayState:
        """Returns the digests remembered now; none is copied."""
        return ReplayState(self._fresh, len(self._fresh), self._stale, self._since, self._window)

    def restore(self, state: ReplayState) -> None:
        """Remembers the digests of a state instead."""
        self._fresh = dict.fromkeys(islice(state.fresh, state.count))
        self._stale = state.stale if isinstance(state.stale, dict) else dict.fromkeys(state.stale)
        self._since, self._window = state.since, state.window
