"""Rate limits, counted per caller on the sandbox clock.

Checking and spending are two steps: a request is counted once it has passed
every gate and its handler, so a refused call uses up no window.
"""

from collections import OrderedDict, deque

from mockserver.model.provider import Limit
from mockserver.model.reject import Reject

CALLERS_MAX = 65_536
GONE_MAX = 2  # times that are let go with each one that is kept


class FixedWindow:
    """A limit on windows aligned to the epoch: the window it is in, and a count per caller.

    At most CALLERS_MAX callers are counted in a window; beyond that the one counted
    first is forgotten.
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._window = -1
        self._counts: OrderedDict[str, int] = OrderedDict()

    def check(self, caller: str, now: int, share: int = 1) -> None:
        """Raises Reject("rate_limited") when the caller's window is full.

        ``share`` divides what the caller may do.
        """
        limit = self.limit
        if limit.count is None:
            return
        window = now // limit.window
        used = self._counts.get(caller, 0) if window == self._window else 0
        if used >= limit.count // share:
            raise self.full(now)

    def full(self, now: int) -> Reject:
        """Returns the refusal of a caller whose window is full."""
        return _full(self.limit, (now // self.limit.window + 1) * self.limit.window, now)

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
            counts.popitem(last=False)


class RollingWindow:
    """A limit on the span that ends now: when each caller's last requests were let through.

    The callers' last times are kept, at most CALLERS_MAX callers; beyond that the one
    that called least recently is forgotten.
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._times: OrderedDict[str, deque[int]] = OrderedDict()

    def check(self, caller: str, now: int, share: int = 1) -> None:
        """Raises Reject("rate_limited") when the caller's last span is full.

        ``share`` divides what the caller may do.
        """
        limit = self.limit
        if limit.count is None:
            return
        times = self._times.get(caller)
        allowed = limit.count // share
        if allowed == 0:
            raise self.full(now)
        if times is not None and len(times) >= allowed:
            reset = times[-allowed] + limit.window
            if reset > now:
                raise _full(limit, reset, now)

    def full(self, now: int) -> Reject:
        """Returns the refusal of a caller who filled the span just now."""
        return _full(self.limit, now + self.limit.window, now)

    def spend(self, caller: str, now: int) -> None:
        """Counts one request."""
        limit = self.limit
        if limit.count is None:
            return
        times = self._times.get(caller)
        if times is None:
            times = self._times[caller] = deque()
        # Two at most, so that no request pays for all that went before a pause.
        for _ in range(GONE_MAX):
            if times and (times[0] <= now - limit.window or len(times) >= limit.count):
                times.popleft()
        times.append(now)
        self._times.move_to_end(caller)
        if len(self._times) > CALLERS_MAX:
            self._times.popitem(last=False)


Window = FixedWindow | RollingWindow


def window(limit: Limit) -> Window:
    """Returns what counts a limit."""
    return RollingWindow(limit) if limit.rolling else FixedWindow(limit)


def _full(limit: Limit, reset: int, now: int) -> Reject:
    wait = reset - now
    count = limit.count or 0
    return Reject("rate_limited", limit=limit.name, count=count, reset=reset, wait=wait)
