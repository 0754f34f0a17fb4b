"""``GET /v1/balances`` and the key check ``GET /v1/_ping``."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from mockserver.model.account_rows import AccountRows, RowGroups, RowKey
from mockserver.model.amounts import minus, text
from mockserver.model.http import Request
from mockserver.model.provider import Answer
from mockserver.model.query import raw_pairs
from mockserver.model.world import View
from mockserver.providers.cpg.world import Balance


class Filter(Struct, frozen=True):
    """Which rows are asked for; None is all."""

    currency: str | None
    network: str | None


def parse_filter(request: Request, path: Mapping[str, str]) -> Filter:
    """Reads the filter; of a parameter given twice the last counts."""
    given = dict(raw_pairs(request.query))
    return Filter(_text(given.get(b"currency")), _text(given.get(b"network")))


def _text(given: bytes | None) -> str | None:
    return None if given is None else given.decode("utf-8", "replace")


def list_balances(view: View, wanted: Filter) -> Answer:
    """Lists the caller's rows."""
    held = view.accounts[view.credential.account]
    data = [_row(row) for row in chosen(held, wanted)]
    return Answer(success(data) | {"data_count": len(data)})


class ByCurrency(RowGroups):
    """The places of an account's rows by currency, in any case."""

    @staticmethod
    def group(place: RowKey) -> str:
        """Returns the currency without its case."""
        return place[0].casefold()


def chosen(held: AccountRows, wanted: Filter) -> Iterable[Balance]:
    """Returns the rows of a currency, in any case, and of a network, exactly."""
    rows: Iterable[Balance] = held.rows.values()
    if wanted.currency is not None:
        places = held.derive(ByCurrency).of(wanted.currency.casefold())
        rows = [held.rows[place] for place in places]
    if wanted.network is not None:
        rows = [row for row in rows if row.venue == wanted.network]
    return rows


def _row(row: Balance) -> dict[str, str]:
    return {
        "currency": row.asset,
        "network": row.venue,
        "balance": text(row.total, row.decimals),
        "held": text(row.held, row.decimals),
        "available": text(minus(row.total, row.held), row.decimals),
    }


def success(data: Any) -> dict[str, Any]:
    """Wraps data in the gateway's envelope."""
    return {"success": True, "message": "OK", "data": data}


def ping(view: View, _: None) -> Answer:
    """Tells that the key works."""
    return Answer(success({"pong": True}))
