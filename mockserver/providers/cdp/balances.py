"""``GET /v2/accounts/{accountId}/balances``, and the balance of one asset."""

from collections.abc import Mapping
from functools import lru_cache

import msgspec
from msgspec import Struct

from mockserver.providers.cdp.accounts import owned, parse_id
from mockserver.providers.cdp.pages import (
    Listing,
    Page,
    begin,
    cut,
    fleeting,
    given,
    listing,
    parse_page,
    rank,
)
from mockserver.providers.cdp.world import SYMBOL_MAX, Balance
from mockserver.wire.amount import Amount, minus, stripped, text, times
from mockserver.wire.memo import Memo
from mockserver.wire.message import Request
from mockserver.wire.provider import Answer
from mockserver.wire.reject import Reject
from mockserver.wire.world import Holdings, View

SHOWN_MAX = 4096  # rows

NOT_FOUND = "Account or asset not found."


class Wanted(Struct, frozen=True):
    """Which account's balances are asked for, and which page of them."""

    account: str
    page: Page


def _page(query: bytes) -> Page:
    return parse_page(given(query))


PAGES = Memo(_page, size=len)


def parse_list(request: Request, path: Mapping[str, str]) -> Wanted:
    """Reads the account and the page; raises Reject."""
    return Wanted(parse_id(request, path), PAGES[request.query])


def list_balances(view: View, wanted: Wanted) -> Answer:
    """Lists an account's balances, the most valuable first."""
    account = wanted.account
    start = begin(view, wanted.page, f"balances of {account}")
    held = owned(view, account)
    found = view.keep(("balances", account), lambda: _listing(held))
    rows, token = cut(view, start, found)
    body = {"balances": [shown(row) for row in rows], **token}
    return Answer(body, fleeting=fleeting(wanted.page, token))


def _listing(held: Holdings) -> Listing:
    return listing((rank(row.value, row.asset), row) for row in held.rows.values())


def parse_asset(request: Request, path: Mapping[str, str]) -> tuple[str, str]:
    """Reads the account and the asset; raises Reject."""
    account, asset = parse_id(request, path), path["asset"]
    if not 0 < len(asset) <= SYMBOL_MAX:
        raise Reject("bad_request", parameter="asset")
    return account, asset


def get_balance(view: View, wanted: tuple[str, str]) -> Answer:
    """Shows one balance; raises Reject for an asset that the account lacks."""
    account, asset = wanted
    row = owned(view, account, NOT_FOUND).rows.get((asset, ""))
    if row is None:
        raise Reject("not_found", message=NOT_FOUND)
    return Answer(shown(row))


@lru_cache(SHOWN_MAX)
def shown(row: Balance) -> msgspec.Raw:
    """Renders a row, which never changes; rows are told apart by identity."""
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


def _amount(available: Amount, total: Amount) -> dict[str, str]:
    return {"available": text(available), "total": text(total)}
