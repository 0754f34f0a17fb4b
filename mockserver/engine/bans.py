"""What befalls callers that go on when a limit has refused them: warned, banned, blacklisted."""

from collections import OrderedDict, deque

from mockserver.model.provider import BanPolicy
from mockserver.model.reject import Reject

CALLERS_MAX = 65_536


class Record:
    """One caller's refusals and bans, and until when it is warned and banned."""

    __slots__ = ("banned", "bans", "refusals", "warned")

    def __init__(self, penalty: BanPolicy) -> None:
        self.refusals: deque[int] = deque(maxlen=penalty.offences)
        self.bans: deque[int] = deque(maxlen=penalty.bans + 1)
        self.warned = 0
        self.banned = 0


class BanList:
    """The callers on whom a penalty keeps a record, at most CALLERS_MAX."""

    def __init__(self, penalty: BanPolicy) -> None:
        self.penalty = penalty
        self._records: OrderedDict[str, Record] = OrderedDict()

    def share(self, caller: str, now: int) -> int:
        """Returns by how much the caller's limits are divided: 2 while it is warned, else 1.

        Raises Reject("rate_limited") while it is banned.
        """
        record = self._records.get(caller)
        if record is None:
            return 1
        if now < record.banned:
            wait = record.banned - now
            raise Reject("rate_limited", limit=self.penalty.name, reset=record.banned, wait=wait)
        return 2 if now < record.warned else 1

    def offend(self, caller: str, now: int) -> None:
        """Records a refusal, and what follows from it; one while banned changes nothing."""
        record = self._records.get(caller)
        if record is None:
            record = self._records[caller] = Record(self.penalty)
            if len(self._records) > CALLERS_MAX:
                self._records.popitem(last=False)
        if now < record.banned:
            return
        penalty, refusals = self.penalty, record.refusals
        refusals.append(now)
        if len(refusals) < penalty.offences or now - refusals[0] > penalty.within:
            return
        refusals.clear()
        if now < record.warned:
            self._ban(record, now)
        else:
            record.warned = now + penalty.warned

    def _ban(self, record: Record, now: int) -> None:
        penalty, bans = self.penalty, record.bans
        bans.append(now)
        often = len(bans) > penalty.bans and now - bans[0] <= penalty.blacklisted
        record.banned = now + (penalty.blacklisted if often else penalty.banned)
