"""``GET /v1/balances``: one element per connected exchange."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mockserver.model.amounts import minus, number
from mockserver.model.http import Request
from mockserver.model.provider import Answer
from mockserver.model.query import first
from mockserver.model.reject import Reject
from mockserver.model.rows import ByVenue
from mockserver.model.world import View
from mockserver.providers.coinapi.world import EXCHANGE, Balance

# Separators between an exchange and the tag of an account on it, as in KRAKEN/JOHN.
SEPARATORS = "~/.,:;!@#$%^&*-_+="  # fact: coinapi-tag-separators
QUICKSTART_TAG = "/JOHN"

Item = dict[str, str | msgspec.Raw | None]


# fact: coinapi-unknown-parameter
def parse_exchange(request: Request, path: Mapping[str, str]) -> str:
    """Returns the filter, empty for all exchanges."""
    # fact: coinapi-filter, coinapi-filter-empty, coinapi-filter-repeated
    return first(request.query, "exchange_id")


def get_balances(view: View, exchange: str) -> Answer:
    """Lists the balances by exchange; raises Reject for an exchange that cannot answer."""
    account, quirks = view.accounts[view.credential.account], view.quirks
    quickstart = quirks["row_extras"] == "quickstart"
    # The ids in the response, by the id of the exchange.
    # fact: coinapi-row-extras-tag
    names = {id: _tagged(id) if quickstart else id for id in account.account.exchanges}
    keys_by_exchange, rows = account.derive(ByVenue), account.rows
    render = _quickstart_element if quickstart else _element
    # fact: coinapi-element-per-exchange, coinapi-exchange-without-rows, coinapi-no-exchanges
    body = [
        render(names[id], [rows[key] for key in keys_by_exchange.of(id)])
        for id in _select(view, names, exchange)
    ]
    # fact: coinapi-success-media-type, coinapi-success-charset
    return Answer(body, media_type=quirks["success_media_type"].encode())


def _select(view: View, names: Mapping[str, str], exchange: str) -> list[str]:
    """Returns the reachable exchanges that match the filter; raises Reject."""
    # fact: coinapi-all-exchanges
    matching = [id for id in names if not exchange or _matches(names[id], exchange)]
    # fact: coinapi-unknown-exchange, coinapi-unknown-exchange-empty
    if exchange and not matching and view.quirks["unknown_exchange"] == "reject":
        raise Reject("exchange_unreachable", exchange_id=exchange, connected=tuple(names.values()))
    outages = view.records.get(EXCHANGE, {})
    down = [id for id in matching if outages.get(id) is not None]
    # fact: coinapi-unreachable, coinapi-unfiltered-rejected
    if down and (exchange or view.quirks["unfiltered_unreachable"] == "reject"):
        name, message = names[down[0]], outages[down[0]].rejected_message
        quoted = {"rejected_message": message} if message else {}
        connected = tuple(names.values())
        facts = {"exchange_id": name, "connected": connected, "unfiltered": not exchange}
        raise Reject("exchange_unreachable", **facts, **quoted)
    # fact: coinapi-unfiltered-unreachable
    return [id for id in matching if id not in down]


def _tagged(id: str) -> str:
    return id if any(c in SEPARATORS for c in id) else id + QUICKSTART_TAG


# fact: coinapi-filter-exact, coinapi-filter-tagged
def _matches(id: str, exchange: str) -> bool:
    return id == exchange or (id.startswith(exchange) and id[len(exchange)] in SEPARATORS)


def _element(id: str, rows: list[Balance]) -> dict[str, Any]:
    return {"exchange_id": id, "data": [_item(row) for row in rows]}


# fact: coinapi-item-members, coinapi-no-extra-members, coinapi-numbers
def _item(row: Balance) -> Item:
    return {
        "asset_id_exchange": row.asset,  # fact: coinapi-asset-codes
        "asset_id_coinapi": row.coinapi or row.asset,  # fact: coinapi-unknown-asset-code
        # fact: coinapi-amounts, coinapi-numbers-exact
        "balance": number(row.total),
        "available": number(minus(row.total, row.held)),  # fact: coinapi-available-and-locked
        "locked": number(row.held),  # fact: coinapi-integers
        "last_updated_by": row.last_updated_by,
        "rate_usd": number(row.rate_usd),  # fact: coinapi-rate-of-one-unit
        "traded": number(row.traded),  # fact: coinapi-traded
    }


# fact: coinapi-row-extras
def _quickstart_element(id: str, rows: list[Balance]) -> dict[str, Any]:
    """Renders an exchange as the official quickstart does: with extra and missing members."""
    data = [_quickstart_item(row) for row in rows]
    return {"type": "BALANCE_SNAPSHOT", "exchange_id": id, "data": data}


def _quickstart_item(row: Balance) -> Item:
    item: Item = {"id": row.asset, **_item(row)}
    if not row.coinapi:  # fact: coinapi-row-extras-unknown-asset
        for name in ("asset_id_coinapi", "balance", "available"):
            del item[name]
        item["rate_usd"] = None
    return item
