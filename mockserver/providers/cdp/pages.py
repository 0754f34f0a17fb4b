"""Pages: a list in order of rank, cut behind what a token says was shown last.

Rank is a value, descending, what has none last, then the id. A token holds the rank of the
last item shown, not a position, so a change during a walk neither repeats nor drops an item
that kept its rank. It is sealed, bound to its list and sandbox, and expires on the sandbox
clock.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from mockserver.model.amounts import text
from mockserver.model.paging import seal, unseal
from mockserver.model.query import pairs
from mockserver.model.reject import Reject
from mockserver.model.signing import seeded
from mockserver.model.world import ZERO, View

SIZE = 20
SIZE_MAX = 100
DIGITS_MAX = 18  # of a size that is read; a longer one is more than enough

# What the last page says of the next one.
LAST: dict[str, dict[str, str]] = {"omit": {}, "empty": {"nextPageToken": ""}}

Rank = tuple[bool, Decimal, str]


class Page(Struct, frozen=True):
    """Which page is asked for: SIZE_MAX + 1 is any size above; an empty token is the first."""

    size: int
    token: str


class Listing(NamedTuple):
    """Items in order, and their ranks."""

    ranks: list[Rank]
    items: list[Any]


class Start(Struct, frozen=True):
    """Where a page begins: in which list, how many items, behind which rank."""

    of: str
    size: int
    after: Rank | None


class PagePosition(Struct, frozen=True):
    """What a token holds: where its page ended, of which list, when, and of which size."""

    last_id: str
    timestamp: int
    value: str | None
    of: str
    size: int


def page_parameter(query: bytes) -> Mapping[str, str]:
    """Returns a query's parameters; of one given twice the first counts."""
    return dict(reversed(pairs(query)))


def parse_page(parameters: Mapping[str, str]) -> Page:
    """Reads pageSize and pageToken; raises Reject."""
    size = parameters.get("pageSize", str(SIZE))
    if not (size.isascii() and size.isdigit() and size.strip("0")):
        raise Reject("bad_request", parameter="pageSize")
    asked = int(size.lstrip("0")[:DIGITS_MAX])
    return Page(min(asked, SIZE_MAX + 1), parameters.get("pageToken", ""))


def time_dependent(page: Page, token: Mapping[str, str]) -> bool:
    """Tells whether a page depends on the time: a token led to it, or leads on from it."""
    return bool(page.token or token.get("nextPageToken"))


def rank(value: Decimal | None, id: str) -> Rank:
    """Returns what items are sorted by."""
    return value is None, (ZERO if value is None else value).copy_negate(), id


def listing(ranked: Iterable[tuple[Rank, Any]]) -> Listing:
    """Sorts items by their ranks."""
    found = sorted(ranked, key=itemgetter(0))
    return Listing([rank for rank, _ in found], [item for _, item in found])


def begin(view: View, page: Page, of: str) -> Start:
    """Returns where a page of the list ``of`` begins; raises Reject."""
    size = min(page.size, SIZE_MAX)
    if page.size > size and view.quirks["page_size_over_max"] == "reject":
        raise Reject("bad_request", parameter="pageSize")
    if not page.token:
        return Start(of, size, None)
    place = _opened(view, page.token)
    late = max(view.now - place.timestamp - view.quirks["page_token_ttl"], 0)
    bound = view.quirks["page_token_binds_size"]
    if place.of != of or late or (bound == "true" and place.size != size):
        raise Reject("bad_page_token", late=late)
    value = None if place.value is None else Decimal(place.value)
    return Start(of, size, rank(value, place.last_id))


def cut(view: View, start: Start, found: Listing) -> tuple[list[Any], dict[str, str]]:
    """Returns the items of a page, and ``nextPageToken`` where it is due."""
    first = 0 if start.after is None else bisect_right(found.ranks, start.after)
    end = first + start.size
    if end < len(found.items):
        token = {"nextPageToken": _sealed(view, start, found.ranks[end - 1])}
    else:
        token = LAST[view.quirks["last_page_token"]]
    return found.items[first:end], token


def _sealed(view: View, start: Start, last: Rank) -> str:
    unvalued, value, id = last
    told = None if unvalued else text(value.copy_negate())
    place = PagePosition(id, view.now, told, start.of, start.size)
    return seal(_secret(view.seed, view.sandbox), msgspec.json.encode(place))


def _opened(view: View, token: str) -> PagePosition:
    try:
        return msgspec.json.decode(
            unseal(_secret(view.seed, view.sandbox), token), type=PagePosition
        )
    except ValueError:
        raise Reject("bad_page_token", sealed=False) from None


@lru_cache(1024)
def _secret(seed: int, sandbox: str) -> bytes:
    return seeded(seed, sandbox, "cdp", "page token", size=32)
