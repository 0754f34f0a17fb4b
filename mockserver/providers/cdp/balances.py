"""``GET /v2/accounts/{accountId}/balances``, and the balance of one asset."""

from bisect import bisect_left
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from mockserver.caches import MIB, cached
from mockserver.model.amounts import Amount, minus, stripped, text, times
from mockserver.model.http import Request
from mockserver.model.provider import Answer
from mockserver.model.reject import Reject
from mockserver.model.rows import RenderedRows, RowKey
from mockserver.model.world import View
from mockserver.providers.cdp.accounts import owned_account, parse_id
from mockserver.providers.cdp.pages import (
    Page,
    Rank,
    SortedList,
    cut_page,
    parse_page,
    query_parameters,
    rank,
    sort_by_rank,
    start_page,
    time_dependent,
)
from mockserver.providers.cdp.world import SYMBOL_MAX, Balance

NOT_FOUND = "Account or asset not found."  # fact: cdp-not-found-asset-text


class BalanceQuery(Struct, frozen=True):
    """The account and the page of a list of balances."""

    account: str
    page: Page


@cached("cdp pages", size=lambda query: 200 + 2 * len(query), room=2 * MIB)
def _parse_query(query: bytes) -> Page:
    return parse_page(query_parameters(query))


def parse_list(request: Request, path: Mapping[str, str]) -> BalanceQuery:
    """Reads the account and the page; raises Reject."""
    return BalanceQuery(parse_id(request, path), _parse_query(request.query))


def list_balances(view: View, query: BalanceQuery) -> Answer:
    """Lists an account's balances, the most valuable first; raises Reject."""
    start = start_page(view, query.page, f"balances of {query.account}")
    account = owned_account(view, query.account)
    rows, token = cut_page(view, start, account.derive(RowsByValue).sorted_rows)
    rendered = account.derive(RenderedBalances)
    body = {"balances": [rendered[row] for row in rows], **token}  # fact: cdp-balances-members
    return Answer(body, time_dependent=time_dependent(query.page, token))


class RowsByValue:
    """An account's rows, the most valuable first."""

    def __init__(self, rows: Mapping[RowKey, Balance]) -> None:
        self.sorted_rows = sort_by_rank((_rank(row), row) for row in rows.values())

    def copy(self) -> "RowsByValue":
        """Returns an independent copy."""
        other = RowsByValue({})
        other.sorted_rows = SortedList([*self.sorted_rows.ranks], [*self.sorted_rows.items])
        return other

    def change(self, old: Balance | None, new: Balance | None) -> None:
        """Replaces ``old`` by ``new``; None where a row is added or removed."""
        ranks, rows = self.sorted_rows
        if old is not None:
            at = bisect_left(ranks, _rank(old))
            del ranks[at], rows[at]
        if new is not None:
            at = bisect_left(ranks, _rank(new))
            ranks.insert(at, _rank(new))
            rows.insert(at, new)


def _rank(row: Balance) -> Rank:
    return rank(row.value, row.asset)  # fact: cdp-order, cdp-order-rest


def parse_asset(request: Request, path: Mapping[str, str]) -> tuple[str, str]:
    """Returns the account id and the asset of the path; raises Reject."""
    account, asset = parse_id(request, path), path["asset"]
    if not 0 < len(asset) <= SYMBOL_MAX:
        raise Reject("bad_request", parameter="asset")  # fact: cdp-asset-malformed
    return account, asset


def get_balance(view: View, query: tuple[str, str]) -> Answer:
    """Returns the balance of one asset; raises Reject for an asset that the account lacks."""
    account_id, asset = query
    account = owned_account(view, account_id, NOT_FOUND)
    row = account.rows.get((asset, ""))  # fact: cdp-asset-exact
    if row is None:
        raise Reject("not_found", message=NOT_FOUND)  # fact: cdp-not-found-asset
    return Answer(account.derive(RenderedBalances)[row])  # fact: cdp-balance-of-one


def _render(row: Balance) -> msgspec.Raw:
    available, price = minus(row.total, row.held), row.price
    # fact: cdp-amount-own, cdp-amount-held
    amount = {row.asset: _amount(available, row.total)}
    if price is not None and row.asset != "usd":  # fact: cdp-amount-usd-exact
        values = (stripped(times(price, quantity)) for quantity in (available, row.total))
        amount["usd"] = _amount(*values)  # fact: cdp-amount-usd
    asset = {  # fact: cdp-balance-members
        "symbol": row.asset,
        "type": row.type,
        "name": row.name or row.asset.upper(),  # fact: cdp-asset-defaults
        "decimals": row.decimals,
    }
    return msgspec.Raw(msgspec.json.encode({"asset": asset, "amount": amount}))


class RenderedBalances(RenderedRows):
    """The JSON of an account's balances."""

    write = staticmethod(_render)


def _amount(available: Amount, total: Amount) -> dict[str, str]:
    # fact: cdp-amount-text, cdp-amount-scale
    return {"available": text(available), "total": text(total)}
