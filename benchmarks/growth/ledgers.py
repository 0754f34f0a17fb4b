"""What grows in a ledger: each makes a sandbox with so much of it, and returns what asks it."""

import time
from typing import Any

import msgspec
from msgspec.structs import replace

from benchmarks.growth.asking import answered, change, warmed
from benchmarks.growth.requests import Asks, asks, get, request
from benchmarks.growth.worlds import ROWS, box, world
from mockserver.client.auth import Auth
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import Provider
from mockserver.model.times import SECOND
from mockserver.model.world import KeyRevoked, PutRecord, Schedule
from mockserver.tools.credentials import credentials

LATER = 2 * 3600 * SECOND
RICH = "1" + 20 * "0"  # no other row is worth as much


def accounts(provider: Provider, size: int) -> Asks:
    """So many accounts; one of them is asked for."""
    return warmed(provider, asks(box(world(provider, accounts=size)), provider))


def listed(provider: Provider, size: int) -> Asks:
    """So many accounts, listed: the first page."""
    sandbox = box(world(provider, accounts=size))
    return warmed(provider, asks(sandbox, provider, get(f"{provider.base_path}/v2/accounts")))


def rows(provider: Provider, size: int) -> Asks:
    """So many rows; the first 20 are asked for, and the row that may change is one of them."""
    sandbox = box(world(provider, rows=size))
    change(sandbox, provider.name, RICH)
    return warmed(provider, asks(sandbox, provider))


def middle(provider: Provider, size: int) -> Asks:
    """So many rows; 10 out of their middle are asked for by a token."""
    sandbox = box(world(provider, rows=size))
    id = next(iter(sandbox.states[provider.name].ledger.accounts))
    path = f"{provider.base_path}/v2/accounts/{id}/balances"

    def page(query: str) -> dict[str, Any]:
        ((_, asked),) = asks(sandbox, provider, get(path + query))(1)
        found: dict[str, Any] = msgspec.json.decode(answered(sandbox, provider.name, asked))
        return found

    token = page(f"?pageSize={min(size // 2, 100)}")["nextPageToken"]
    for _ in range(size // 200 - 1):
        token = page(f"?pageSize=100&pageToken={token}")["nextPageToken"]
    return warmed(provider, asks(sandbox, provider, get(f"{path}?pageSize=10&pageToken={token}")))


def chosen(provider: Provider, size: int) -> Asks:
    """So many rows; 20 currencies out of all of them are asked for in turn."""
    sandbox = box(world(provider, rows=size))

    def draft(auth: Auth, n: int) -> UnsignedRequest:
        return get(f"/v1/balances?currency=t{n % ROWS * (size // ROWS):06d}")(auth, n)

    return warmed(provider, asks(sandbox, provider, draft), ROWS)


def pending(provider: Provider, size: int) -> Asks:
    """So many events that are not due yet."""
    sandbox = box(world(provider))
    due = time.time_ns() + LATER
    sandbox.change(provider.name, *(Schedule(due + n, KeyRevoked("main")) for n in range(size)))
    return warmed(provider, asks(sandbox, provider))


def records(provider: Provider, size: int) -> Asks:
    """So many withdrawals, one of which is asked for."""
    sandbox = box(world(provider))
    main = next(iter(credentials(sandbox, provider).values()))
    row = {"currency": "T000000", "network": "ETH", "to_address": "0x" + 40 * "0", "amount": "1"}
    draft = Auth(provider, main).sign("POST", "/v1/withdrawals", msgspec.json.encode(row))
    answered(sandbox, provider.name, request(draft, provider))
    kind, known = next(iter(sandbox.states[provider.name].ledger.records.items()))
    made = [PutRecord(kind, n, replace(known[1], id=n)) for n in range(2, size + 1)]
    sandbox.change(provider.name, *made)
    return warmed(provider, asks(sandbox, provider, get("/v1/withdrawals/1")))
