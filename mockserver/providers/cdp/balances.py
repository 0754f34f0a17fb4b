"""``GET /v2/accounts/{accountId}/balances``, and the balance of one asset."""

from bisect import bisect_left
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from mockserver.caches import Memo
from mockserver.model.account_rows import RenderedRows, RowKey
from mockserver.model.amounts import Amount, minus, stripped, text, times
from mockserver.model.http import Request
from mockserver.model.provider import Answer
from mockserver.model.reject import Reject
from mockserver.model.world import View
from mockserver.providers.cdp.accounts import owned, parse_id
from mockserver.providers.cdp.pages import (
    Listing,
    Page,
    Rank,
    begin,
    cut,
    listing,
    page_parameter,
    parse_page,
    rank,
    time_dependent,
)
from mockserver.providers.cdp.world import SYMBOL_MAX, Balance

NOT_FOUND = "Account or asset not found."


class BalanceQuery(Struct, frozen=True):
    """Which account's balances are asked for, and which page of them."""

    account: str
    page: Page


def _page(query: bytes) -> Page:
    return parse_page(page_parameter(query))


PAGES = Memo(_page, size=len)


def parse_list(request: Request, path: Mapping[str, str]) -> BalanceQuery:
    """Reads the account and the page; raises Reject."""
    return BalanceQuery(parse_id(request, path), PAGES[request.query])


def list_balances(view: View, wanted: BalanceQuery) -> Answer:
    """Lists an account's balances, the most valuable first."""
    account = wanted.account
    start = begin(view, wanted.page, f"balances of {account}")
    held = owned(view, account)
    rows, token = cut(view, start, held.derive(ByValue).listing)
    items = held.derive(Items)
    body = {"balances": [items[row] for row in rows], **token}
    return Answer(body, time_dependent=time_dependent(wanted.page, token))


class ByValue:
    """An account's rows, the most valuable first."""

    def __init__(self, rows: Mapping[RowKey, Balance]) -> None:
        self.listing = listing((_rank(row), row) for row in rows.values())

    def copy(self) -> "ByValue":
        """Returns one that can go another way."""
        other = ByValue({})
        other.listing = Listing([*self.listing.ranks], [*self.listing.items])
        return other

    def change(self, old: Balance | None, new: Balance | None) -> None:
        """Follows the change of one row."""
        ranks, rows = self.listing
        if old is not None:
            at = bisect_left(ranks, _rank(old))
            del ranks[at], rows[at]
        if new is not None:
            at = bisect_left(ranks, _rank(new))
            ranks.insert(at, _rank(new))
            rows.insert(at, new)


def _rank(row: Balance) -> Rank:
    return rank(row.value, row.asset)


def parse_asset(request: Request, path: Mapping[str, str]) -> tuple[str, str]:
    """Reads the account and the asset; raises Reject."""
    account, asset = parse_id(request, path), path["asset"]
    if not 0 < len(asset) <= SYMBOL_MAX:
        raise Reject("bad_request", parameter="asset")
    return account, asset


def get_balance(view: View, wanted: tuple[str, str]) -> Answer:
    """Shows one balance; raises Reject for an asset that the account lacks."""
    account, asset = wanted
    held = owned(view, account, NOT_FOUND)
    row = held.rows.get((asset, ""))
    if row is None:
        raise Reject("not_found", message=NOT_FOUND)
    return Answer(held.derive(Items)[row])


def _item(row: Balance) -> msgspec.Raw:
    available, price = minus(row.total, row.held), row.price
    amount = {row.asset: _amount(available, row.total)}
    if price is not None and row.asset != "usd":
        worth = (stripped(times(price, part)) for part in (available, row.total))
        amount["usd"] = _amount(*worth)
    asset = {
        "symbol": row.asset,
        "type": row.type,
        "name": row.name or row.asset.upper(),
        "decimals": row.decimals,
    }
    return msgspec.Raw(msgspec.json.encode({"asset": asset, "amount": amount}))


class Items(RenderedRows):
    """How the rows of an account are written."""

    write = staticmethod(_item)


def _amount(available: Amount, total: Amount) -> dict[str, str]:
    return {"available": text(available), "total": text(total)}
