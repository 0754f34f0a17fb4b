"""Rate limits and bans, per caller, on the sandbox clock (``now``: nanoseconds since the epoch).

A limit counts every request that reaches its check, except those that it rejects itself; with the
quirk ``counts: successful`` only those that succeed.
"""

from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.model.provider import BanPolicy, Limit
from mockserver.model.reject import Reject

CALLERS_MAX = 65_536  # callers of one limit or one ban list; beyond it the oldest is forgotten


class Usage(Struct, frozen=True):
    """How much of a limit a caller has used, and when the next request is free again.

    ``frees`` is in nanoseconds since the epoch.
    """

    caller: str
    used: int
    frees: int


class WindowState(Struct, frozen=True, forbid_unknown_fields=True):
    """What a window has counted, by caller: ``counts`` from ``start`` to ``end``, or ``times``."""

    start: int = 0
    end: int = 0
    counts: dict[str, int] = {}
    times: Mapping[str, Sequence[int]] = {}


class FixedWindow:
    """A count per caller, in windows aligned to the epoch."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._start = self._end = 0  # of the window that is counted
        self._counts: OrderedDict[str, int] = OrderedDict()

    def check(self, caller: str, now: int, divisor: int = 1) -> None:
        """Raises Reject("rate_limited") when the caller's window is full.

        ``divisor`` divides the limit's count.
        """
        limit = self.limit
        if limit.count is None:
            return
        used = self._counts.get(caller, 0) if self._start <= now < self._end else 0
        if used >= limit.count // divisor:
            raise self.reject(now)

    def reject(self, now: int) -> Reject:
        """Returns the reject of a caller whose window is full."""
        return _rate_limited(self.limit, (now // self.limit.window + 1) * self.limit.window, now)

    def charge(self, caller: str, now: int) -> None:
        """Counts one request."""
        limit = self.limit
        if limit.count is None:
            return
        if not self._start <= now < self._end:
            self._start = now // limit.window * limit.window
            self._end = self._start + limit.window
            self._counts.clear()
        counts = self._counts
        used = counts.get(caller, 0)
        counts[caller] = used + 1
        if not used and len(counts) > CALLERS_MAX:
            counts.popitem(last=False)

    def usage(self, now: int, most: int) -> list[Usage]:
        """Returns the usage of the last ``most`` callers that were new in this window."""
        if not self._start <= now < self._end:
            return []
        latest = islice(reversed(self._counts.items()), most)
        return [Usage(caller, used, self._end) for caller, used in latest]

    def state(self) -> WindowState:
        """Returns the counts."""
        return WindowState(self._start, self._end, dict(self._counts))

    def restore(self, state: WindowState) -> None:
        """Puts the counts of a state in place of its own."""
        self._start, self._end = state.start, state.end
        self._counts = OrderedDict(state.counts)


class RollingWindow:
    """The times of each caller's last requests, in the window that ends now."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._times: OrderedDict[str, Any] = OrderedDict()  # least recent caller first
        self._shared: dict[str, None] = {}  # callers whose times a state has too

    def check(self, caller: str, now: int, divisor: int = 1) -> None:
        """Raises Reject("rate_limited") when the caller's window is full.

        ``divisor`` divides the limit's count.
        """
        limit = self.limit
        if limit.count is None:
            return
        times = self._times.get(caller)
        allowed = limit.count // divisor
        if allowed == 0:
            raise self.reject(now)
        if times is not None and len(times) >= allowed:
            reset = times[-allowed] + limit.window
            if reset > now:
                raise _rate_limited(limit, reset, now)

    def reject(self, now: int) -> Reject:
        """Returns the reject of a caller who filled the window just now."""
        return _rate_limited(self.limit, now + self.limit.window, now)

    def charge(self, caller: str, now: int) -> None:
        """Counts one request."""
        limit = self.limit
        if limit.count is None:
            return
        times = self._times.get(caller)
        if times is None:
            self._times[caller] = deque((now,))
            if len(self._times) > CALLERS_MAX:
                self._times.popitem(last=False)
            return
        if self._shared and caller in self._shared:
            del self._shared[caller]
            times = self._times[caller] = deque(times)
        expired = now - limit.window
        # Not all at once: the first request after a pause would take long.
        if times and (times[0] <= expired or len(times) >= limit.count):
            times.popleft()
            if times and (times[0] <= expired or len(times) >= limit.count):
                times.popleft()
        times.append(now)
        self._times.move_to_end(caller)

    def usage(self, now: int, most: int) -> list[Usage]:
        """Returns the usage of the ``most`` callers that made the last requests."""
        rows, window = [], self.limit.window
        for caller, times in islice(reversed(self._times.items()), most):
            expired = bisect_right(times, now - window)
            if expired < len(times):
                rows.append(Usage(caller, len(times) - expired, times[expired] + window))
        return rows

    def state(self) -> WindowState:
        """Returns the times; those of a caller are copied when it is charged next."""
        self._shared = dict.fromkeys(self._times)
        return WindowState(times=dict(self._times))

    def restore(self, state: WindowState) -> None:
        """Puts the times of a state in place of its own."""
        self._times = OrderedDict(state.times)
        self._shared = dict.fromkeys(state.times)


Window = FixedWindow | RollingWindow


def window(limit: Limit) -> Window:
    """Returns an empty window of a limit."""
    return RollingWindow(limit) if limit.rolling else FixedWindow(limit)


def _rate_limited(limit: Limit, reset: int, now: int) -> Reject:
    wait = reset - now
    count = limit.count or 0
    return Reject("rate_limited", limit=limit.name, count=count, reset=reset, wait=wait)


class BanRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """One caller's rejects and bans, and until when it is warned and banned."""

    rejects: tuple[int, ...] = ()
    bans: tuple[int, ...] = ()
    warned: int = 0
    banned: int = 0


NO_RECORD = BanRecord()


class BanList:
    """The records of callers that went on when a limit had rejected them."""

    def __init__(self, policy: BanPolicy) -> None:
        self.policy = policy
        self._records: OrderedDict[str, BanRecord] = OrderedDict()

    def divisor(self, caller: str, now: int) -> int:
        """Returns by what the caller's limits are divided: 2 while it is warned, else 1.

        Raises Reject("rate_limited") while it is banned.
        """
        record = self._records.get(caller)
        if record is None:
            return 1
        if now < record.banned:
            wait = record.banned - now
            raise Reject("rate_limited", limit=self.policy.name, reset=record.banned, wait=wait)
        return 2 if now < record.warned else 1

    def penalties(self, now: int, most: int) -> list[tuple[str, str, int]]:
        """Returns the callers of the last ``most`` records that are punished: how, until when."""
        rows = []
        for caller, record in islice(reversed(self._records.items()), most):
            if now < record.banned:
                rows.append((caller, "banned", record.banned))
            elif now < record.warned:
                rows.append((caller, "warned", record.warned))
        return rows

    def count_offence(self, caller: str, now: int) -> None:
        """Counts a reject or a request, which may lead to a warning or a ban; none during a ban."""
        record = self._records.get(caller, NO_RECORD)
        if now >= record.banned:
            self._records[caller] = self._after_offence(record, now)
            if len(self._records) > CALLERS_MAX:
                self._records.popitem(last=False)

    def _after_offence(self, record: BanRecord, now: int) -> BanRecord:
        policy = self.policy
        rejects = (*record.rejects, now)[-policy.offences :]
        if len(rejects) < policy.offences or now - rejects[0] > policy.within:
            return replace(record, rejects=rejects)
        if now >= record.warned:
            return replace(record, rejects=(), warned=now + policy.warned)
        bans = (*record.bans, now)[-policy.bans - 1 :]
        repeated = len(bans) > policy.bans and now - bans[0] <= policy.blacklisted
        banned = now + (policy.blacklisted if repeated else policy.banned)
        return replace(record, rejects=(), bans=bans, banned=banned)

    def state(self) -> dict[str, BanRecord]:
        """Returns the records by caller."""
        return dict(self._records)

    def restore(self, state: Mapping[str, BanRecord]) -> None:
        """Puts the records of a state in place of its own."""
        self._records = OrderedDict(state)
