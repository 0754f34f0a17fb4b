"""``GET /v1/exchange/support``: the supported exchanges, and the credential fields of each."""

from typing import Any

from msgspec import Struct

from mockserver.model.provider import Answer
from mockserver.model.world import View
from mockserver.providers.coinstats.usage import SUPPORT_COST, charge

# The labels of credential fields, by key.
FIELDS = {"apiKey": "API Key", "apiSecret": "API Secret", "passphrase": "Passphrase"}

PAIR = ("apiKey", "apiSecret")  # fact: coinstats-connection-credentials
TRIPLE = (*PAIR, "passphrase")

# fact: coinstats-support-icon, coinstats-support-icons-alike
ICON = "https://static.coinstats.app/portfolio_images/{}_dark.png"


class Exchange(Struct, frozen=True):
    """An exchange: its name, and the keys of its credential fields."""

    name: str
    fields: tuple[str, ...]


# By connectionId.
# fact: coinstats-exchanges
EXCHANGES = {
    "binance": Exchange("Binance", PAIR),
    "coinbase": Exchange("Coinbase", PAIR),
    "bybit": Exchange("Bybit", PAIR),
    # fact: coinstats-exchanges-with-passphrase
    "okx": Exchange("OKX", TRIPLE),
    "kucoin": Exchange("KuCoin", TRIPLE),
    "bitget": Exchange("Bitget", TRIPLE),
    "kraken": Exchange("Kraken", PAIR),  # fact: coinstats-exchanges-more
}


def list_exchanges(view: View, _: None) -> Answer:
    """Lists every exchange."""
    body = [_exchange_body(id, exchange) for id, exchange in EXCHANGES.items()]
    return Answer(body, (charge(view, SUPPORT_COST),))


def _exchange_body(id: str, exchange: Exchange) -> dict[str, Any]:
    # fact: coinstats-support
    return {
        "connectionId": id,  # fact: coinstats-connection-ids
        "name": exchange.name,
        "icon": ICON.format(id),
        # fact: coinstats-support-fields
        "connectionFields": [{"name": FIELDS[key], "key": key} for key in exchange.fields],
    }
