"""Planted defects: signatures that are reused, or made before the last change."""

import contextlib
import time
from typing import Any

import httpx

from contract_tests.certify.planting import ALL, ROWS, plant
from contract_tests.certify.reference import Exchange, Row
from contract_tests.clients.cpg import CpgClient


def same_timestamp(self: Any) -> int:
    self._first = getattr(self, "_first", int(self._now()))
    return self._first


class Rewritten(httpx.HTTPTransport):
    """Escapes a query again, behind the signature."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path, mark, query = request.url.raw_path.partition(b"?")
        other = query.replace(b"%7E", b"~").replace(b"%2C", b",").replace(b"%20", b"+")
        request.url = request.url.copy_with(raw_path=path + mark + other)
        return super().handle_request(request)


def unsigned_first(self: Exchange) -> list[Row]:
    """Tries without the key before it uses it."""
    with httpx.Client(verify=False, trust_env=False, timeout=1) as http:
        paths = {
            "cdp": f"/v2/accounts/{self.stage['account']}/balances",
            "coinw": "/api/v1/private?command=returnBalances",
            "coinstats": "/v1/exchange/balance",
        }
        method = "POST" if self.provider in ("coinw", "coinstats") else "GET"
        with contextlib.suppress(httpx.TransportError):
            http.request(method, self.stage["base_url"] + paths.get(self.provider, "/v1/balances"))
    return Exchange.balances(self)


plant("signs once for all retries", ("cpg",), "fresh-signature-on-retry", "retry-is-accepted", kind=lambda self: type("Planted", (CpgClient,), {"_timestamp": same_timestamp}), again=lambda self, read: read())  # fmt: skip
plant("escapes the query after signing", ("cpg",), "filter-signed-as-sent", http_options=lambda self: {"transport": Rewritten(verify=False)})  # fmt: skip
plant("tries without its key first", ALL, "first-try", "long-retry-after", "filter-escaped-once", ROWS, balances=unsigned_first)  # fmt: skip
plant("gives the time of an hour ago", ("cpg",), "first-try", ROWS, now=lambda self: time.time() - 3600)  # fmt: skip
