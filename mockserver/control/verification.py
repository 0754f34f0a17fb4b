"""Counts requests that match, also those whose entries the journal has dropped."""

import heapq
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from mockserver.control.journal import entry_document
from mockserver.control.matching import JournalMatch, check_names, count_matches, differences
from mockserver.control.routes import ControlCall
from mockserver.engine.journal import Coarse, Exact, JournalEntry
from mockserver.errors import ControlError, InvalidCall
from mockserver.model.provider import Provider

COUNTED = ("provider", "operation", "status", "reason", "credential")
NEAREST_MAX = 3  # nearest misses in a response


class Verification(Struct, frozen=True, forbid_unknown_fields=True):
    """An expected number of requests that match."""

    match: JournalMatch = JournalMatch()
    exactly: int | None = None
    at_least: int | None = None
    at_most: int | None = None

    def allows(self, count: int) -> bool:
        """Returns whether a number of requests is as expected."""
        return self.allows_some(count, count)

    def allows_some(self, least: int, most: int) -> bool:
        """Returns whether any number in a range is as expected."""
        low = max(n for n in (self.exactly, self.at_least, least) if n is not None)
        high = min(n for n in (self.exactly, self.at_most, most) if n is not None)
        return low <= high


class Snapshot(Struct, frozen=True):
    """A journal at one moment: its entries, how many it has dropped, and the counts of all."""

    entries: list[JournalEntry]
    exact: dict[Exact, int]
    rest: dict[Coarse, int]
    dropped: int


def verify(call: ControlCall) -> dict[str, Any]:
    """Returns the count; raises ControlError (409) with the nearest misses for another number.

    Where the journal has dropped entries that could decide, that is a 409 too.
    """
    expected: Verification = call.body
    if expected.exactly is expected.at_least is expected.at_most is None:
        raise InvalidCall("nothing is expected", hint="give exactly, at_least or at_most")
    match, providers = expected.match, call.app.providers
    check_names(call.sandbox, match, "$.match.")
    snapshot = _snapshot(call)
    least, most = _range(snapshot, match, providers)
    if expected.allows(least) and expected.allows(most):
        return {"count": least}
    error, hint = f"{least} requests match", "see nearest"
    if least != most and expected.allows_some(least, most):
        error += f", and the journal has dropped {most - least} others that may match"
        hint = _dropped_hint(match)
    nearest = _nearest(snapshot.entries, match, providers)
    raise ControlError(409, error, "$", hint, count=least, nearest=nearest)


def _snapshot(call: ControlCall) -> Snapshot:
    with call.sandbox.lock:
        journal = call.sandbox.journal
        counts = journal.counts
        return Snapshot([*journal.entries], dict(counts.exact), dict(counts.rest), journal.dropped)


def _dropped_hint(match: JournalMatch) -> str:
    if match.needs_entries:
        return "target, header and method need entries: clear the journal before what you count"
    return "too many different requests to count each: clear the journal before what you count"


def _range(
    snapshot: Snapshot, match: JournalMatch, providers: Mapping[str, Provider]
) -> tuple[int, int]:
    """Returns how many requests match at least, and at most."""
    exact = sum(n for key, n in snapshot.exact.items() if count_matches(key, match, providers))
    coarse = JournalMatch(provider=match.provider, operation=match.operation, reason=match.reason)
    rest = sum(
        n
        for (provider, operation, reason), n in snapshot.rest.items()
        if count_matches((provider, operation, 0, reason, ""), coarse, providers)
    )
    needs_exact = match.status is not None or match.credential is not None
    if not match.needs_entries and not (needs_exact and rest):
        return exact + rest, exact + rest
    differing = [differences(entry, match, providers).keys() for entry in snapshot.entries]
    matching = sum(not members for members in differing)
    if not snapshot.dropped:
        return matching, matching
    like = sum(members.isdisjoint(COUNTED) for members in differing)
    least = matching if match.needs_entries else max(matching, exact)
    return least, max(least, matching + exact + rest - like)


def _nearest(
    entries: Iterable[JournalEntry], match: JournalMatch, providers: Mapping[str, Provider]
) -> list[dict[str, Any]]:
    """Returns the entries with the fewest differences from a match, and the differences.

    Entries of another provider than a named one are left out; those of the operation come first.
    """
    candidates = (e for e in entries if match.provider in (None, e.provider))
    compared = ((e, differences(e, match, providers)) for e in candidates)
    misses = ((e, members) for e, members in compared if members)
    best = heapq.nsmallest(NEAREST_MAX, misses, key=lambda m: ("operation" in m[1], len(m[1])))
    return [{"n": e.n, "differs": members, "request": entry_document(e)} for e, members in best]
