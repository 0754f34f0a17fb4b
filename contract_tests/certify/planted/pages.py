# ruff: noqa: SLF001 - a defect replaces a part of a client
"""Planted defects: walks that lose pages, or never end."""

import itertools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from contract_tests.certify.planting import fails, on_list, plant
from contract_tests.certify.reference import Exchange
from contract_tests.clients.cdp import CdpClient, CdpError


def first_page(self: Any, account: str) -> Any:
    return itertools.islice(CdpClient._pages(self, account), 1)


def while_token_is_there(self: Any, account: str) -> Any:
    query = {"pageSize": "100"}
    while True:
        page = self.read(f"/v2/accounts/{account}/balances", query)
        yield page
        if "nextPageToken" not in page:
            return
        query["pageToken"] = page["nextPageToken"]


def while_token(self: Any, account: str) -> Any:
    query = {"pageSize": "100"}
    while True:
        page = self.read(f"/v2/accounts/{account}/balances", query)
        yield page
        if not page.get("nextPageToken"):
            return
        query["pageToken"] = page["nextPageToken"]


def escaped_twice(self: Any, path: str, query: dict[str, str]) -> Any:
    token = query.get("pageToken", "")
    return CdpClient._send(
        self, path, query | ({"pageToken": quote(token, "") + "%3D"} if token else {})
    )


def pages_so_far(self: Any, account: str) -> Any:
    pages = CdpClient._pages(self, account)
    seen = False
    while True:
        try:
            page = next(pages)
        except StopIteration:
            return
        except CdpError:
            if not seen:
                raise
            return
        seen = True
        yield page


def cdp(**methods: Callable[..., Any]) -> Callable[[Exchange], Any]:
    return lambda self: type("Planted", (CdpClient,), methods)


WALKS = (
    "all-pages",
    "empty-last-token",
    "page-token-unchanged",
    "expired-page-token",
    "repeated-token",
    "*-in-the-middle-of-a-walk",
)
plant("reads the first page alone", ("cdp",), "all-pages", *WALKS, kind=cdp(_pages=first_page))
plant("goes on while the token is there", ("cdp",), "empty-last-token", "repeated-token", kind=cdp(_pages=while_token_is_there))  # fmt: skip
plant("walks in a circle", ("cdp",), "repeated-token", kind=cdp(_pages=while_token))
plant("escapes the token twice", ("cdp",), "page-token-unchanged", *WALKS, kind=cdp(_send=escaped_twice))  # fmt: skip
plant("shows the pages so far", ("cdp",), "revoked-in-the-middle-of-a-walk", "repeated-token", "expired-page-token", "error-in-the-middle-of-a-walk", kind=cdp(_pages=pages_so_far))  # fmt: skip
plant("reads amount.usd", ("cdp",), "own-symbol-only", rows=on_list(lambda rows: fails(KeyError("usd")) if any(row["asset"] == "eur" for row in rows) else rows))  # fmt: skip
