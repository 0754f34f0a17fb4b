"""Pages: a sorted list, cut after the last item of the page before.

The rank of an item is its value, descending, items without a value last, then its id. A page
token holds the rank of the last item shown, not a position, so a change during a walk neither
repeats nor drops an item that kept its rank. The token is sealed, bound to its list and
sandbox, and expires on the sandbox clock.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from decimal import Decimal
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

PAGE_SIZE = 20  # fact: cdp-page-size
PAGE_SIZE_MAX = 100  # fact: cdp-page-size-max
SIZE_DIGITS_MAX = 18  # digits of a pageSize that are read; any longer number is above the maximum

# The members of the last page, by the quirk last_page_token.
LAST_PAGE: dict[str, dict[str, str]] = {
    "omit": {},  # fact: cdp-last-page
    "empty": {"nextPageToken": ""},  # fact: cdp-last-page-empty
}

Rank = tuple[bool, Decimal, str]


class Page(Struct, frozen=True):
    """The requested page.

    ``size`` is PAGE_SIZE_MAX + 1 for any larger size; an empty ``token`` is the first page.
    """

    size: int
    token: str


class SortedList(NamedTuple):
    """Items in order, and their ranks."""

    ranks: list[Rank]
    items: list[Any]


class PageStart(Struct, frozen=True):
    """Where a page begins: the name of its list, its size, and the rank before its first item."""

    list_name: str
    size: int
    after: Rank | None


# fact: cdp-page-token-form
class PagePosition(Struct, frozen=True):
    """The content of a page token: where its page ended, when, and its list and size.

    ``timestamp`` is on the sandbox clock, in nanoseconds since the epoch.
    """

    last_id: str
    timestamp: int
    value: str | None
    list_name: str = msgspec.field(name="of")
    size: int


def query_parameters(query: bytes) -> Mapping[str, str]:
    """Returns a query's parameters; of a repeated one the first value."""
    return dict(reversed(pairs(query)))  # fact: cdp-page-parameter-twice


def parse_page(parameters: Mapping[str, str]) -> Page:
    """Reads pageSize and pageToken; raises Reject."""
    size = parameters.get("pageSize", str(PAGE_SIZE))
    if not (size.isascii() and size.isdigit() and size.strip("0")):
        raise Reject("bad_request", parameter="pageSize")  # fact: cdp-page-size-malformed
    number = int(size.lstrip("0")[:SIZE_DIGITS_MAX])
    # fact: cdp-page-token, cdp-page-token-escaped
    return Page(min(number, PAGE_SIZE_MAX + 1), parameters.get("pageToken", ""))


def time_dependent(page: Page, token: Mapping[str, str]) -> bool:
    """Returns whether a page has a token of its own or one for the next page."""
    return bool(page.token or token.get("nextPageToken"))


def rank(value: Decimal | None, id: str) -> Rank:
    """Returns the sort key of an item: by descending value, None last, then by id."""
    return value is None, (ZERO if value is None else value).copy_negate(), id


def sort_by_rank(ranked: Iterable[tuple[Rank, Any]]) -> SortedList:
    """Sorts pairs of rank and item."""
    in_order = sorted(ranked, key=itemgetter(0))
    return SortedList([rank for rank, _ in in_order], [item for _, item in in_order])


def start_page(view: View, page: Page, list_name: str) -> PageStart:
    """Returns where a page of the list begins; raises Reject for a bad token or size."""
    size = min(page.size, PAGE_SIZE_MAX)
    # fact: cdp-page-size-over-max
    if page.size > size and view.quirks["page_size_over_max"] == "reject":
        raise Reject("bad_request", parameter="pageSize")
    if not page.token:
        return PageStart(list_name, size, None)  # fact: cdp-page-token-empty
    position = _open_token(view, page.token)
    # fact: cdp-page-token-expiry, cdp-page-token-again
    late = max(view.now - position.timestamp - view.quirks["page_token_ttl"], 0)
    bound = view.quirks["page_token_binds_size"]  # fact: cdp-page-token-size
    other_size = bound == "true" and position.size != size
    if position.list_name != list_name or late or other_size:
        raise Reject("bad_page_token", late=late)
    value = None if position.value is None else Decimal(position.value)
    return PageStart(list_name, size, rank(value, position.last_id))


def cut_page(view: View, start: PageStart, source: SortedList) -> tuple[list[Any], dict[str, str]]:
    """Returns the items of a page, and the member ``nextPageToken`` if the page has one."""
    # fact: cdp-page-walk
    first = 0 if start.after is None else bisect_right(source.ranks, start.after)
    end = first + start.size
    if end < len(source.items):
        token = {"nextPageToken": _seal_token(view, start, source.ranks[end - 1])}
    else:
        token = LAST_PAGE[view.quirks["last_page_token"]]
    return source.items[first:end], token


def _seal_token(view: View, start: PageStart, last: Rank) -> str:
    has_no_value, negated_value, id = last
    value = None if has_no_value else text(negated_value.copy_negate())
    position = PagePosition(id, view.now, value, start.list_name, start.size)
    return seal(_token_key(view.seed, view.sandbox), msgspec.json.encode(position))


def _open_token(view: View, token: str) -> PagePosition:
    try:
        content = unseal(_token_key(view.seed, view.sandbox), token)
        return msgspec.json.decode(content, type=PagePosition)
    except ValueError:
        raise Reject("bad_page_token", sealed=False) from None  # fact: cdp-page-token-opaque


def _token_key(seed: int, sandbox: str) -> bytes:
    return seeded(seed, sandbox, "cdp", "page token", size=32)
