"""How many requests there were: all are counted, those too whose entries were dropped."""

import heapq
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from mockserver.control.journal import entry_document
from mockserver.control.matching import JournalMatch, check_names, counted, differs
from mockserver.control.routes import ControlCall, ControlError
from mockserver.engine.journal import Coarse, Exact, JournalEntry
from mockserver.model.provider import Provider

COUNTED = ("provider", "operation", "status", "reason", "credential")
MISSES = 3  # nearest misses that are told


class Verification(Struct, frozen=True, forbid_unknown_fields=True):
    """What is expected: how many requests match."""

    match: JournalMatch = JournalMatch()
    exactly: int | None = None
    at_least: int | None = None
    at_most: int | None = None


class Taken(Struct, frozen=True):
    """What a journal holds at one moment: entries, and the counts of all requests."""

    entries: list[JournalEntry]
    exact: dict[Exact, int]
    rest: dict[Coarse, int]
    dropped: int


def verify(call: ControlCall) -> dict[str, Any]:
    """Counts requests; raises Refused with the nearest misses when the number is not right.

    Where the journal has dropped what the count needs, that is refused, too.
    """
    wish: Verification = call.body
    bounds = (wish.exactly, wish.at_least, wish.at_most)
    if all(bound is None for bound in bounds):
        raise ControlError(400, "nothing is expected", hint="give exactly, at_least or at_most")
    sandbox, providers = call.sandbox, call.app.providers
    check_names(sandbox, wish.match, "$.match.")
    with sandbox.lock:
        journal = sandbox.journal
        counts = journal.counts
        taken = Taken([*journal.entries], dict(counts.exact), dict(counts.rest), journal.dropped)
    least, most = _range(taken, wish.match, providers)
    if _good(wish, least) and _good(wish, most):
        return {"count": least}
    if least == most or not _may_be_good(wish, least, most):
        refused = ControlError(409, f"{least} requests match", "$", "see nearest")
    else:
        dropped = f"the journal has dropped {most - least} others that may match"
        refused = ControlError(
            409, f"{least} requests match, and {dropped}", "$", _remedy(wish.match)
        )
    nearest = _nearest(taken.entries, wish.match, providers)
    refused.body |= {"count": least, "nearest": nearest}  # type: ignore[dict-item]
    raise refused


def _good(wish: Verification, count: int) -> bool:
    exactly, least, most = wish.exactly, wish.at_least, wish.at_most
    return (
        (exactly is None or count == exactly)
        and (least is None or count >= least)
        and (most is None or count <= most)
    )


def _may_be_good(wish: Verification, least: int, most: int) -> bool:
    """Tells whether any number in a range is as expected."""
    low = max(n for n in (wish.exactly, wish.at_least, least) if n is not None)
    high = min(n for n in (wish.exactly, wish.at_most, most) if n is not None)
    return low <= high


def _remedy(match: JournalMatch) -> str:
    if match.needs_entries:
        return "target, header and method need entries: clear the journal before what you count"
    return "too many different requests to count each: clear the journal before what you count"


def _range(taken: Taken, match: JournalMatch, providers: Mapping[str, Provider]) -> tuple[int, int]:
    """Returns how many requests match at least, and at most."""
    exact = sum(n for key, n in taken.exact.items() if counted(key, match, providers))
    coarse = JournalMatch(provider=match.provider, operation=match.operation, reason=match.reason)
    rest = sum(
        n
        for (provider, operation, reason), n in taken.rest.items()
        if counted((provider, operation, 0, reason, ""), coarse, providers)
    )
    by_all = match.status is not None or match.credential is not None
    if not match.needs_entries and not (by_all and rest):
        return exact + rest, exact + rest
    missed = [differs(entry, match, providers).keys() for entry in taken.entries]
    kept = sum(not members for members in missed)
    if not taken.dropped:
        return kept, kept
    like = sum(members.isdisjoint(COUNTED) for members in missed)
    least = kept if match.needs_entries else max(kept, exact)
    return least, max(least, kept + exact + rest - like)


def _nearest(
    entries: Iterable[JournalEntry], match: JournalMatch, providers: Mapping[str, Provider]
) -> list[dict[str, Any]]:
    """Returns the entries that differ least from what was asked for, and in what.

    Those of the operation that was asked for come first; where a provider was named, those of
    others are none.
    """
    asked = (e for e in entries if match.provider in (None, e.provider))
    found = ((e, differs(e, match, providers)) for e in asked)
    missed = ((e, members) for e, members in found if members)
    best = heapq.nsmallest(MISSES, missed, key=lambda m: ("operation" in m[1], len(m[1])))
    return [{"n": e.n, "differs": members, "request": entry_document(e)} for e, members in best]
