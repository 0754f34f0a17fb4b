"""``GET /v1/balances`` and the key check ``GET /v1/_ping``."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from mockserver.model.amounts import minus, text
from mockserver.model.http import Request
from mockserver.model.provider import Answer
from mockserver.model.query import raw_pairs
from mockserver.model.rows import AccountRows, RowGroups, RowKey
from mockserver.model.world import View
from mockserver.providers.cpg.world import Balance


class RowFilter(Struct, frozen=True):
    """The rows that a request asks for; None matches every row."""

    currency: str | None
    network: str | None


EVERY_ROW = RowFilter(None, None)


def parse_filter(request: Request, path: Mapping[str, str]) -> RowFilter:
    """Reads the filter from the query."""
    params = dict(raw_pairs(request.query))  # fact: cpg-repeated-parameter
    # fact: cpg-unknown-parameter
    currency, network = params.get(b"currency"), params.get(b"network")
    if currency is None and network is None:
        return EVERY_ROW
    return RowFilter(_decode(currency), _decode(network))


def _decode(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def list_balances(view: View, row_filter: RowFilter) -> Answer:
    """Lists the caller's rows."""
    holdings = view.accounts[view.credential.account]
    # fact: cpg-balances-row, cpg-not-paginated
    data = [_row_body(row) for row in matching_rows(holdings, row_filter)]
    # fact: cpg-balances-no-failure, cpg-no-match
    return Answer(success(data) | {"data_count": len(data)})


class ByCurrency(RowGroups):
    """The keys of an account's rows, grouped by currency in any case."""

    @staticmethod
    def group(place: RowKey) -> str:
        """Returns the case-folded currency."""
        return place[0].casefold()


def matching_rows(holdings: AccountRows, row_filter: RowFilter) -> Iterable[Balance]:
    """Returns the rows of a currency, in any case, and of a network, exactly."""
    rows: Iterable[Balance] = holdings.rows.values()
    if row_filter.currency is not None:
        # fact: cpg-currency-filter
        row_keys = holdings.derive(ByCurrency).of(row_filter.currency.casefold())
        rows = [holdings.rows[row_key] for row_key in row_keys]
    if row_filter.network is not None:  # fact: cpg-filters, cpg-network-filter
        rows = [row for row in rows if row.venue == row_filter.network]
    return rows


def _row_body(row: Balance) -> dict[str, str]:
    # fact: cpg-balances-precision, cpg-decimals-are-strings
    return {
        "currency": row.asset,
        "network": row.venue,
        "balance": text(row.total, row.decimals),
        "held": text(row.held, row.decimals),
        "available": text(minus(row.total, row.held), row.decimals),  # fact: cpg-balances-available
    }


def success(data: Any) -> dict[str, Any]:
    """Returns data in the gateway's envelope."""
    return {"success": True, "message": "OK", "data": data}  # fact: cpg-success-envelope


def ping(view: View, _: None) -> Answer:
    """Answers a key that works."""
    return Answer(success({"pong": True}))  # fact: cpg-ping-body
