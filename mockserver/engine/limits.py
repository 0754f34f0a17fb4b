"""Fixed windows aligned to the epoch, counted per caller.

Checking and spending are two steps: a request is counted once it has passed
every gate and its handler, so a refused call uses up no window.
"""

from mockserver.wire.provider import Limit
from mockserver.wire.reject import Reject

CALLERS_MAX = 65_536


class Counter:
    """One limit: the window it is in, and how often each caller was let through.

    At most CALLERS_MAX callers are counted in a window; beyond that the one
    counted first is forgotten.
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._window = -1
        self._counts: dict[str, int] = {}

    def check(self, caller: str, now: int) -> None:
        """Raises Reject("rate_limited") when the caller's window is full."""
        limit = self.limit
        if limit.count is None:
            return
        window = now // limit.window
        used = self._counts.get(caller, 0) if window == self._window else 0
        if used >= limit.count:
            reset = (window + 1) * limit.window
            raise Reject(
                "rate_limited", limit=limit.name, count=limit.count, reset=reset, wait=reset - now
            )

    def spend(self, caller: str, now: int) -> None:
        """Counts one request."""
        limit = self.limit
        if limit.count is None:
            return
        window = now // limit.window
        if window != self._window:
            self._window = window
            self._counts.clear()
        counts = self._counts
        counts[caller] = counts.get(caller, 0) + 1
        if len(counts) > CALLERS_MAX:
            del counts[next(iter(counts))]
