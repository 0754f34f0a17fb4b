"""``GET /v1/exchange/support``: the exchanges that can be connected, and what each asks for."""

from typing import Any

from msgspec import Struct

from mockserver.model.provider import Answer
from mockserver.model.world import View
from mockserver.providers.coinstats.usage import SUPPORT, charge

# The credential fields by their keys, as a form would label them.
FIELDS = {"apiKey": "API Key", "apiSecret": "API Secret", "passphrase": "Passphrase"}

PAIR = ("apiKey", "apiSecret")
TRIPLE = (*PAIR, "passphrase")

ICON = "https://static.coinstats.app/portfolio_images/{}_dark.png"


class Exchange(Struct, frozen=True):
    """An exchange: its name, and the credential fields that it needs."""

    name: str
    fields: tuple[str, ...]


# By connectionId.
EXCHANGES = {
    "binance": Exchange("Binance", PAIR),
    "coinbase": Exchange("Coinbase", PAIR),
    "bybit": Exchange("Bybit", PAIR),
    "okx": Exchange("OKX", TRIPLE),
    "kucoin": Exchange("KuCoin", TRIPLE),
    "bitget": Exchange("Bitget", TRIPLE),
    "kraken": Exchange("Kraken", PAIR),
}


def list_exchanges(view: View, _: None) -> Answer:
    """Lists every exchange."""
    body = [_item(id, exchange) for id, exchange in EXCHANGES.items()]
    return Answer(body, (charge(view, SUPPORT),))


def _item(id: str, exchange: Exchange) -> dict[str, Any]:
    return {
        "connectionId": id,
        "name": exchange.name,
        "icon": ICON.format(id),
        "connectionFields": [{"name": FIELDS[key], "key": key} for key in exchange.fields],
    }
