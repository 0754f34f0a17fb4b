"""One stream for a page: new journal rows of several sandboxes, and which parts have changed.

It says why a request could not be read, as no journal has it. It reads the journals themselves, a
few times a second: it holds no queue, costs a request nothing, and a reader that falls behind
misses rows, which are counted.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from msgspec import Struct

from mockserver.control.routes import DIGITS_MAX
from mockserver.engine.journal import JournalEntry
from mockserver.engine.sandbox import Sandbox
from mockserver.errors import ControlError, InvalidCall
from mockserver.version import __version__

STREAMS_MAX = 32  # of a server at once
FOLLOWED_MAX = 16  # sandboxes of one stream
ROWS_MAX = 500  # rows of one event; of more that are new, the oldest are missed
REPLAYED_MAX = 2_000  # rows that the journal has when the stream begins
TEXT_MAX = 512  # characters of a text in a row
TICK = 0.1  # seconds between two looks
BUSY_TICK = 0.25  # seconds, while there is much to send
BUSY = 10_000  # bytes of events: about 60 rows
QUIET_MAX = 15  # seconds without an event after which a comment is sent

encode = msgspec.json.Encoder().encode

_epochs: "WeakKeyDictionary[Sandbox, str]" = WeakKeyDictionary()


class JournalRow(Struct, frozen=True, omit_defaults=True, gc=False):
    """A journal entry in one line: ``time`` in microseconds since the epoch, no empty texts.

    ``explanation`` says why it was refused.
    """

    n: int
    time: int
    provider: str
    method: str
    target: str
    status: int
    duration_us: int
    operation: str = ""
    credential: str = ""
    reason: str = ""
    note: str = ""
    fault: str = ""
    delivery: str = ""
    explanation: str = ""


def journal_row(entry: JournalEntry) -> JournalRow:
    """Returns an entry as a row; long texts are cut."""
    return JournalRow(
        entry.n,
        entry.time // 1000,
        entry.provider,
        entry.method,
        entry.target[:TEXT_MAX].decode("latin-1"),
        entry.status,
        entry.duration // 1000,
        entry.operation,
        entry.credential,
        entry.reason,
        entry.note and entry.note[:TEXT_MAX],
        entry.fault and entry.fault[:TEXT_MAX],
        entry.delivery and entry.delivery[:TEXT_MAX],
        entry.reason and _in_one_line(entry),
    )


def _in_one_line(entry: JournalEntry) -> str:
    """Returns the rule that was broken, or what was received where it says no more than reason."""
    explanation = entry.explanation
    if explanation is None:
        return ""
    says_more = explanation.rule.replace("_", " ") != entry.reason.replace("_", " ")
    text = explanation.rule if says_more else explanation.received or explanation.fix
    return text[:TEXT_MAX]


def epoch_of(sandbox: Sandbox) -> str:
    """Returns a text that changes when the numbers of the journal begin anew."""
    token = _epochs.setdefault(sandbox, secrets.token_hex(4))
    return f"{token}.{sandbox.journal.resets}"


class Followed:
    """One sandbox that a stream follows, from the entry ``after`` of an ``epoch``."""

    def __init__(self, id: str, epoch: str = "", after: int = 0) -> None:
        self.id = id
        self._wanted = epoch, after
        self._sandbox: Sandbox | None = None
        self._epoch, self._after, self._is_gone = "", 0, False

    def _begin(self, sandbox: Sandbox, after: int = 0) -> None:
        self._sandbox, self._is_gone = sandbox, False
        self._epoch, self._after = epoch_of(sandbox), after
        self._cleared = sandbox.journal.cleared
        self._parts = _parts(sandbox)
        self._most = REPLAYED_MAX

    def look(self, app: Any) -> list[bytes]:
        """Returns the events since the last look."""
        sandbox: Sandbox | None = app.sandboxes.peek(self.id)
        if sandbox is None:
            known, self._is_gone, self._sandbox = self._is_gone, True, None
            return [] if known else [self._event("gone")]
        if sandbox is not self._sandbox or epoch_of(sandbox) != self._epoch:
            (epoch, after), self._wanted = self._wanted, ("", 0)
            self._begin(sandbox, after if epoch == epoch_of(sandbox) else 0)
            last = sandbox.journal.count
            begin = self._event("begin", epoch=self._epoch, after=self._after, last=last)
            return [begin, *self._rows(sandbox)]
        events = []
        if sandbox.journal.cleared != self._cleared:
            self._cleared = sandbox.journal.cleared
            events.append(self._event("cleared"))
        parts = _parts(sandbox)
        changed = [name for name, part in parts.items() if _differs(part, self._parts[name])]
        if changed:
            events.append(self._event("changed", parts=changed))
        self._parts = parts
        return events + self._rows(sandbox)

    def _rows(self, sandbox: Sandbox) -> list[bytes]:
        journal = sandbox.journal
        entries: list[JournalEntry] = []
        if journal.count == self._after:
            self._most = ROWS_MAX
            return []
        with sandbox.lock:
            after, count = max(self._after, journal.cleared), journal.count
            for entry in reversed(journal.entries):
                if entry.n <= after or len(entries) == self._most:
                    break
                entries.append(entry)
        missed = count - after - len(entries)
        self._after, self._most = count, ROWS_MAX
        rows = [journal_row(entry) for entry in reversed(entries)]
        return [self._event("rows", rows=rows, missed=missed)]

    def _event(self, name: str, **data: Any) -> bytes:
        encoded = encode({"sandbox": self.id} | data)
        return b"event: %b\ndata: %b\n\n" % (name.encode(), encoded)


def _parts(sandbox: Sandbox) -> dict[str, Any]:
    """Returns what can be compared to see which parts of a sandbox have changed."""
    states = sandbox.states.values()
    return {
        "clock": sandbox.clock,
        "faults": sandbox.rulebook.rules,
        "settings": sandbox.settings,
        "ledger": sum(state.ledger.version for state in states),
        "world": sandbox.states,
    }


def _differs(part: Any, before: Any) -> bool:
    return part is not before and part != before


def live(app: Any, follow: str) -> AsyncIterator[bytes]:
    """Yields the events of the followed sandboxes; raises ControlError.

    ``follow`` is a list as in ``default,ID:EPOCH:N``: from the entry behind N on, where the
    epoch is still that one, else the last rows that there are. A sandbox that does not exist is
    gone until it does.
    """
    places = follow.split(",")
    if len(places) > FOLLOWED_MAX:
        raise InvalidCall("too many sandboxes", "?follow", f"at most {FOLLOWED_MAX}")
    followed = [_followed(place) for place in places]
    if app.live_streams >= STREAMS_MAX:
        raise ControlError(409, "too many streams", hint=f"close one of the {STREAMS_MAX}")
    return _events(app, followed)


def _followed(place: str) -> Followed:
    id, *rest = place.split(":")
    if not rest:
        return Followed(id)
    epoch, _, n = ":".join(rest).partition(":")
    if not (n.isascii() and n.isdigit() and len(n) <= DIGITS_MAX):
        raise InvalidCall("not a place in a journal", "?follow", "write ID, or ID:EPOCH:N")
    return Followed(id, epoch, int(n))


async def _events(app: Any, followed: list[Followed]) -> AsyncIterator[bytes]:
    app.live_streams += 1
    unread = app.unread_requests
    try:
        yield b'event: hello\ndata: {"version": "%b"}\n\n' % __version__.encode()
        quiet = 0.0
        while True:
            events = [event for one in followed for event in one.look(app)]
            if app.unread_requests != unread:
                unread = app.unread_requests
                events.append(b"event: unread\ndata: %b\n\n" % encode({"why": app.unread_request}))
            if events or quiet > QUIET_MAX:
                yield b"".join(events) or b": still here\n\n"
                quiet = 0.0
            pause = BUSY_TICK if sum(map(len, events)) > BUSY else TICK
            quiet += pause
            await asyncio.sleep(pause)
    finally:
        app.live_streams -= 1
