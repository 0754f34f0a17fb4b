"""A portfolio tracker: what is held of each asset, at a payment gateway and an exchange aggregator.

python portfolio.py
"""

import hashlib
import hmac
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal, getcontext
from typing import Any

import requests

RETRIES = 3
getcontext().prec = 100  # a sum keeps every digit; the default is 28


class Cpg:
    """Reads the Crypto Payment Gateway; each request has a signature of its own."""

    def __init__(
        self, base_url: str, key_id: str, secret: str, sleep: Callable[[float], Any] = time.sleep
    ) -> None:
        self.base_url, self.key_id, self.secret, self.sleep = base_url, key_id, secret, sleep
        self.last = 0

    def balances(self) -> Counter[str]:
        """Returns the total of each currency."""
        for attempt in range(RETRIES + 1):
            url = f"{self.base_url}/v1/balances"
            response = requests.get(url, headers=self.signed("/v1/balances"), timeout=10)
            if response.status_code != 429 or attempt == RETRIES:
                break
            self.sleep(float(response.headers.get("Retry-After", 2**attempt)))
        response.raise_for_status()
        totals: Counter[str] = Counter()
        for row in response.json()["data"]:
            totals[row["currency"]] += Decimal(row["balance"])
        return totals

    def signed(self, path: str) -> dict[str, str]:
        """Returns the headers of a GET; no two requests have the same timestamp."""
        self.last = max(int(time.time()), self.last + 1)
        text = "\n".join((str(self.last), "GET", path, "", hashlib.sha256(b"").hexdigest()))
        signature = hmac.new(self.secret.encode(), text.encode(), "sha256").hexdigest()
        return {
            "X-CPG-Key": self.key_id,
            "X-CPG-Timestamp": str(self.last),
            "X-CPG-Signature": signature,
        }


def coinapi_balances(base_url: str, api_key: str) -> Counter[str]:
    """Returns the total of each asset over all exchanges; numbers keep every digit."""
    headers = {"X-CoinAPI-Key": api_key}
    response = requests.get(f"{base_url}/v1/balances", headers=headers, timeout=10)
    response.raise_for_status()
    totals: Counter[str] = Counter()
    for exchange in json.loads(response.text, parse_float=Decimal, parse_int=Decimal):
        for row in exchange["data"]:
            totals[row["asset_id_exchange"]] += row["balance"]
    return totals


def main() -> None:
    """Prints one line for each asset."""
    env = os.environ
    cpg = Cpg(env["CPG_BASE_URL"], env["CPG_KEY_ID"], env["CPG_SECRET"])
    coinapi = coinapi_balances(env["COINAPI_BASE_URL"], env["COINAPI_API_KEY"])
    for asset, total in sorted((cpg.balances() + coinapi).items()):
        print(f"{asset:6} {total:f}")


if __name__ == "__main__":
    main()
