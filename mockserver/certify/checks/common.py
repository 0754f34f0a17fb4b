"""What several tables of checks share: rules, rows, and the public reports they cite."""

from collections.abc import Mapping
from typing import Any

from mockserver.certify.model import CDP, COINAPI, COINSTATS, COINW, CPG, Rules

GITHUB = "https://github.com/"
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}

WALK = "many"  # the account of 250 rows at cdp: three pages at least
RETRIES = 12  # requests that bounded retries may take
GIVES_UP = 3  # requests that a refusal may take: a retry in case it was a passing fault


def issue(path: str) -> str:
    """Returns the address of a public report: ccxt/ccxt#7528."""
    repository, _, number = path.partition("#")
    return f"{GITHUB}{repository}/issues/{number}"


def rule(**keywords: Any) -> Rules:
    """Returns one fault rule for the provider's main read."""
    return ({"operation": "balances"} | keywords,)


def anywhere(**keywords: Any) -> Rules:
    """Returns one fault rule for every request to the provider."""
    return (keywords,)


def each(reasons: Mapping[str, str], **keywords: Any) -> dict[str, Rules]:
    """Returns one rejecting rule for each provider."""
    return {name: anywhere(reject=reason, **keywords) for name, reason in reasons.items()}


def holding(provider: str, asset: str, total: str, held: str = "0", venue: int = 0) -> Any:
    """Returns a row as in a world file, on the first or the second network or exchange."""
    row = {"asset": asset, "total": total, "held": held}
    if provider == CDP:
        symbol = asset.lower()
        return row | {"asset": symbol, "name": asset, "type": "crypto", "decimals": 18}
    if provider == COINAPI:
        place = ("KRAKEN", "BINANCE")[venue]
        return row | {"venue": place, "coinapi": asset, "rate_usd": "1", "traded": "0"}
    if provider == COINSTATS:
        prices = {"price": "1", "price_btc": "0.00001"}
        return row | {"asset": asset.lower(), "venue": "binance", "held": "0"} | prices
    if provider == COINW:
        return row | {"held": "0"}
    return row | {"venue": ("ETH", "TRX")[venue], "decimals": 18}


# JSON paths of each provider's rows.
ROWS = {
    CDP: "$.balances",
    COINAPI: "$[*].data",
    COINSTATS: "$.balances",
    COINW: "$.data",
    CPG: "$.data",
}
TOTALS = {
    CDP: "$.balances[0].amount.*.total",
    COINAPI: "$[0].data[0].balance",
    COINSTATS: "$.balances[0].amount",
    COINW: "$.data.BTC",
    CPG: "$.data[0].balance",
}


def mutate_each(kind: str, paths: Mapping[str, str]) -> dict[str, Rules]:
    """Returns one mutating rule for each provider."""
    return {name: rule(mutate={kind: path}) for name, path in paths.items()}
