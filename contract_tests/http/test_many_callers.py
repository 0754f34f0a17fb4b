"""Two thousand requests from fifty connections: afterwards everything is what arithmetic says."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace

from contract_tests.clients.senders import written
from mockserver import Auth, MockServer
from mockserver.engine import limits
from mockserver.model.reject import Reject

CONNECTIONS = 50
DEADLINE = 30  # seconds, for all of it
SEED = 490

READS, FOREIGN_READS = 600, 500
SUBMITTED, REPEATED = 400, 40
POOR, AFFORDABLE = 100, 10
WRONG_SIGNATURES, WRONG_KEYS, WRONG_PATHS = 200, 60, 100

# Each holds amount + fee: 0.001 + 0.00042 ETH, and a tenth of the USDT that is there on TRX.
ETHER = {"currency": "ETH", "network": "ETH", "to_address": "0xrecipient0", "amount": "0.001"}
TETHER = {"currency": "USDT", "network": "TRX", "to_address": "Trecipient0", "amount": "24.05"}
ETHER_HELD = Decimal("0.1") + SUBMITTED * Decimal("0.00142")
TETHER_HELD = AFFORDABLE * Decimal("25.05")

ACCEPTED = READS + SUBMITTED + REPEATED + AFFORDABLE
SIGNED = ACCEPTED + POOR - AFFORDABLE  # what reaches the key's limit
ROUTED = SIGNED + WRONG_SIGNATURES  # what reaches the address's

STATUSES = {
    ("read", 200): READS,
    ("foreign read", 200): FOREIGN_READS,
    ("submit", 200): SUBMITTED,
    ("repeat", 200): REPEATED,
    ("poor", 200): AFFORDABLE,
    ("poor", 400): POOR - AFFORDABLE,
    ("wrong signature", 401): WRONG_SIGNATURES,
    ("wrong key", 401): WRONG_KEYS,
    ("wrong path", 404): WRONG_PATHS,
}

REASONS = {
    "": ACCEPTED + FOREIGN_READS,
    "business_rule": POOR - AFFORDABLE,
    "bad_signature": WRONG_SIGNATURES,
    "unknown_credential": WRONG_KEYS,
    "no_route": WRONG_PATHS,
}


class Sent(NamedTuple):
    """One request: its kind, its number within the kind, and its bytes."""

    kind: str
    n: int
    data: bytes


class Answered(NamedTuple):
    """One answer: what it is to, its status and its body."""

    kind: str
    n: int
    status: int
    body: bytes


def prefixed(provider: str, data: bytes) -> bytes:
    """Sends a request by way of the gateway, signed as for the provider itself."""
    return data.replace(b" /", f" /{provider}/".encode(), 1)


def crowd(server: MockServer) -> Iterator[Sent]:
    """Yields every request; the numbers in their queries keep equal ones of a second apart."""
    ours, theirs, wrong = server.cpg.auth, server.coinapi.auth, Auth("coinapi", {"api_key": "no"})

    def get(kind: str, count: int, provider: str, auth: Auth, path: str) -> Iterator[Sent]:
        for n in range(count):
            data = written(auth, target=f"/v1/{path}?kind={kind.replace(' ', '-')}&n={n}")
            yield Sent(kind, n, prefixed(provider, data))

    def post(kind: str, count: int, order: dict[str, str], reference: str) -> Iterator[Sent]:
        for n in range(count):
            body = json.dumps(order | {"client_reference": f"{reference} {n}"}).encode()
            data = written(ours, "POST", f"/v1/withdrawals?kind={kind}", body)
            yield Sent(kind, n, prefixed("cpg", data))

    yield from get("read", READS, "cpg", ours, "balances")
    yield from get("foreign read", FOREIGN_READS, "coinapi", theirs, "balances")
    yield from get("wrong key", WRONG_KEYS, "coinapi", wrong, "balances")
    yield from get("wrong path", WRONG_PATHS, "cpg", ours, "nothing")
    for kind, n, data in get("wrong signature", WRONG_SIGNATURES, "cpg", ours, "balances"):
        yield Sent(kind, n, data.replace(b"?kind", b"?Kind", 1))
    yield from post("submit", SUBMITTED, ETHER, "ether")
    yield from post("repeat", REPEATED, ETHER, "ether")
    yield from post("poor", POOR, TETHER, "tether")


async def all_at_once(server: MockServer, requests: list[Sent]) -> list[Answered]:
    """Sends everything over so many connections, each of which sends one after the other."""
    async with asyncio.timeout(DEADLINE):
        lots = (requests[n::CONNECTIONS] for n in range(CONNECTIONS))
        answers = await asyncio.gather(*(one_connection(server.url, lot) for lot in lots))
    return [answer for lot in answers for answer in lot]


async def one_connection(base_url: str, requests: Iterable[Sent]) -> list[Answered]:
    url = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    answers = []
    for kind, n, data in requests:
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
        body = await reader.readexactly(int(length))
        answers.append(Answered(kind, n, int(head[9:12]), body))
    writer.close()
    await writer.wait_closed()
    return answers


def ids(answers: list[Answered], kind: str) -> dict[int, int]:
    """Returns the withdrawals that requests of a kind were given, by their number."""
    return {
        a.n: json.loads(a.body)["data"]["withdrawal_id"]
        for a in answers
        if (a.kind, a.status) == (kind, 200)
    }


def full_at(counter: limits.FixedWindow, caller: str, count: int, now: int) -> bool:
    """Tells whether a limit of so many would refuse the caller's next request."""
    counter.limit = replace(counter.limit, count=count)
    try:
        counter.check(caller, now)
    except Reject:
        return True
    return False


def test_a_crowd_leaves_what_arithmetic_says() -> None:
    with MockServer(limits={"cpg.key": "1000000/60s", "cpg.ip": "1000000/60s"}) as server:
        server.clock.freeze()
        requests = list(crowd(server))
        random.Random(SEED).shuffle(requests)
        answers = asyncio.run(all_at_once(server, requests))
        state, now = server.app.sandboxes.default.states["cpg"], server.clock.now_ns

        assert len(requests) == 2_000
        assert Counter((a.kind, a.status) for a in answers) == STATUSES

        held = {(row.asset, row.venue): row.held for row in server.cpg.balances("main")}
        totals = {(row.asset, row.venue): row.total for row in server.cpg.balances("main")}
        assert held["ETH", "ETH"] == ETHER_HELD
        assert held["USDT", "TRX"] == totals["USDT", "TRX"] == TETHER_HELD
        assert held["USDT", "ETH"] == Decimal(200)

        withdrawals = state.ledger.records["withdrawal"]
        submitted, repeated, poor = (ids(answers, k) for k in ("submit", "repeat", "poor"))
        assert len(withdrawals) == SUBMITTED + AFFORDABLE
        assert sorted([*submitted.values(), *poor.values()]) == sorted(withdrawals)
        assert repeated == {n: submitted[n] for n in range(REPEATED)}
        assert {w.status for w in withdrawals.values()} == {"broadcasted"}

        for name, caller, reached in (("key", "main", SIGNED), ("ip", "127.0.0.1", ROUTED)):
            assert full_at(state.counters[name], caller, reached, now), name
            assert not full_at(state.counters[name], caller, reached + 1, now), name

        assert server.app.sandboxes.default.journal.count == len(requests)
        assert Counter(entry.reason for entry in server.journal) == REASONS
