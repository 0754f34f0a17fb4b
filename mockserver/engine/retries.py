"""Marks requests that come too early: before Retry-After has passed, or into a full limit.

Times are nanoseconds since the epoch, on the sandbox clock.
"""

from collections import OrderedDict
from collections.abc import Sequence

from msgspec import Struct

from mockserver.model.http import Response
from mockserver.model.reject import Reject
from mockserver.model.times import SECOND

CALLERS_MAX = 1_024  # callers that have to wait; beyond it the oldest is forgotten
HAMMERING = 3  # requests that came too early, from which on they are more than a retry
RETRY_AFTER = b"retry-after"
DIGITS_MAX = 9

Caller = tuple[str, str]  # the label of the credential, or the address, and the operation


class Wait(Struct, gc=False):
    """A caller that has to wait: for which request ``n`` it was refused, and until when.

    ``promised`` is the Retry-After of that response, "" where it had none; ``early`` counts the
    requests that came too early since.
    """

    n: int
    until: int
    promised: str
    early: int = 0

    def mark(self, now: int) -> str:
        """Returns the journal's note on one more request that comes too early."""
        self.early += 1
        left = f"{(self.until - now) / SECOND:.1f} s"
        reason = f"Retry-After: {self.promised}" if self.promised else "a full limit"
        if self.early < HAMMERING:
            return f"client: retried {left} too early, after request {self.n} met {reason}"
        return (
            f"client: hammers a limit, {self.early} requests too early"
            f" since request {self.n} met {reason}, {left} are left"
        )


class Waits(OrderedDict[Caller, Wait]):
    """The callers that have to wait."""

    def watch(
        self,
        callers: Sequence[Caller],
        n: int,
        now: int,
        response: Response,
        reject: Reject | None,
    ) -> str:
        """Returns the note on request ``n``, "" for none, and remembers until when to wait.

        ``callers`` are those that it may be, the most certain one first.
        """
        wait = None
        for caller in reversed(callers):
            if caller in self and now >= self[caller].until:
                del self[caller]
            wait = self.get(caller, wait)
        note = wait.mark(now) if wait is not None else ""
        until, promised = _wait_of(now, response, reject)
        if until > now:
            if wait is None:
                self[callers[0]] = Wait(n, until, promised)
                if len(self) > CALLERS_MAX:
                    self.popitem(last=False)
            else:
                wait.until = max(wait.until, until)
        return note


def _wait_of(now: int, response: Response, reject: Reject | None) -> tuple[int, str]:
    """Returns until when a response asks to wait, 0 if it does not, and its Retry-After."""
    promised = next((v for k, v in response.headers if k.lower() == RETRY_AFTER), b"").decode()
    if promised.isascii() and promised.isdigit() and len(promised) <= DIGITS_MAX:
        return now + int(promised) * SECOND, promised
    facts = reject.facts if reject is not None else {}
    return facts.get("reset", 0), ""
