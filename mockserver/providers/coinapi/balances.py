"""``GET /v1/balances``: an element per connected exchange."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mockserver.model.account_rows import ByVenue
from mockserver.model.amounts import minus, number
from mockserver.model.http import Request
from mockserver.model.provider import Answer
from mockserver.model.query import first
from mockserver.model.reject import Reject
from mockserver.model.world import View
from mockserver.providers.coinapi.world import EXCHANGE, Balance

# What may stand between an exchange and the tag of one of several accounts on it.
SEPARATORS = "~/.,:;!@#$%^&*-_+="
TAG = "/JOHN"

Item = dict[str, str | msgspec.Raw | None]


def parse_exchange(request: Request, path: Mapping[str, str]) -> str:
    """Reads the filter, empty for all; of a parameter given twice the first counts."""
    return first(request.query, "exchange_id")


def get_balances(view: View, wanted: str) -> Answer:
    """Lists the exchanges asked for; raises Reject for one that cannot answer."""
    holdings, quirks = view.accounts[view.credential.account], view.quirks
    tagged = quirks["row_extras"] == "quickstart"
    shown = {id: _tagged(id) if tagged else id for id in holdings.account.exchanges}
    found = [id for id in shown if not wanted or _matches(shown[id], wanted)]
    if wanted and not found and quirks["unknown_exchange"] == "reject":
        raise Reject("exchange_unreachable", exchange_id=wanted, connected=tuple(shown.values()))
    down = [id for id in found if not view.records.get(EXCHANGE, {}).get(id, True)]
    if down and (wanted or quirks["unfiltered_unreachable"] == "reject"):
        told = shown[down[0]]
        raise Reject("exchange_unreachable", exchange_id=told, connected=tuple(shown.values()))
    places, rows = holdings.derive(ByVenue), holdings.rows
    show = _quickstart if tagged else _plain
    body = [
        show(shown[id], [rows[place] for place in places.of(id)]) for id in found if id not in down
    ]
    return Answer(body, media_type=quirks["success_media_type"].encode())


def _tagged(id: str) -> str:
    return id if any(c in SEPARATORS for c in id) else id + TAG


def _matches(id: str, wanted: str) -> bool:
    return id == wanted or (id.startswith(wanted) and id[len(wanted)] in SEPARATORS)


def _plain(id: str, rows: list[Balance]) -> dict[str, Any]:
    return {"exchange_id": id, "data": [_item(row) for row in rows]}


def _item(row: Balance) -> Item:
    return {
        "asset_id_exchange": row.asset,
        "asset_id_coinapi": row.coinapi or row.asset,
        "balance": number(row.total),
        "available": number(minus(row.total, row.held)),
        "locked": number(row.held),
        "last_updated_by": row.last_updated_by,
        "rate_usd": number(row.rate_usd),
        "traded": number(row.traded),
    }


def _quickstart(id: str, rows: list[Balance]) -> dict[str, Any]:
    """Renders an exchange as the official quickstart shows it: more members, some absent."""
    data = [_quickstart_item(row) for row in rows]
    return {"type": "BALANCE_SNAPSHOT", "exchange_id": id, "data": data}


def _quickstart_item(row: Balance) -> Item:
    item: Item = {"id": row.asset, **_item(row)}
    if not row.coinapi:
        for name in ("asset_id_coinapi", "balance", "available"):
            del item[name]
        item["rate_usd"] = None
    return item
