"""Two thousand requests from fifty connections: afterwards everything is what arithmetic says."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import urlsplit

from contract_tests.clients.senders import DEADLINE, written
from mockserver import MockServer

CONNECTIONS = 50
SEED = 490

READS, FOREIGN_READS, WRONG_SIGNATURES = 600, 500, 300
SUBMITTED, REPEATED = 450, 50
POOR, AFFORDABLE = 100, 10

# Each holds amount + fee: 0.001 + 0.00042 ETH, and a tenth of the USDT that is there on TRX.
ETHER = {"currency": "ETH", "network": "ETH", "to_address": "0xrecipient0", "amount": "0.001"}
TETHER = {"currency": "USDT", "network": "TRX", "to_address": "Trecipient0", "amount": "24.05"}
ETHER_HELD = Decimal("0.1") + SUBMITTED * Decimal("0.00142")
TETHER_HELD = AFFORDABLE * Decimal("25.05")

STATUSES = {
    ("read", 200): READS,
    ("foreign read", 200): FOREIGN_READS,
    ("submit", 200): SUBMITTED,
    ("repeat", 200): REPEATED,
    ("poor", 200): AFFORDABLE,
    ("poor", 400): POOR - AFFORDABLE,
    ("wrong signature", 401): WRONG_SIGNATURES,
}
# What reaches the limits of the address and of the key.
ROUTED = READS + WRONG_SIGNATURES + SUBMITTED + REPEATED + POOR
LIMITS = {"cpg.ip": f"{ROUTED + 1}/1h", "cpg.key": f"{ROUTED - WRONG_SIGNATURES + 1}/1h"}

Request = tuple[str, int, bytes]  # its kind, its number within the kind, its bytes
Answer = tuple[str, int, int, bytes]  # what it is to, its status and its body


def crowd(server: MockServer) -> Iterator[Request]:
    """Yields every request; the numbers in their queries keep equal ones of a second apart."""

    def reads(kind: str, count: int, provider: str) -> Iterator[Request]:
        auth = getattr(server, provider).auth
        for n in range(count):
            data = written(auth, target=f"/v1/balances?kind={kind.replace(' ', '-')}&n={n}")
            yield kind, n, data.replace(b" /", f" /{provider}/".encode(), 1)

    def orders(kind: str, count: int, order: dict[str, str]) -> Iterator[Request]:
        for n in range(count):
            body = json.dumps(order | {"client_reference": f"{order['currency']} {n}"}).encode()
            data = written(server.cpg.auth, "POST", f"/v1/withdrawals?kind={kind}", body)
            yield kind, n, data.replace(b" /", b" /cpg/", 1)

    yield from reads("read", READS, "cpg")
    yield from reads("foreign read", FOREIGN_READS, "coinapi")
    for kind, n, data in reads("wrong signature", WRONG_SIGNATURES, "cpg"):
        yield kind, n, data.replace(b"?kind", b"?Kind", 1)
    yield from orders("submit", SUBMITTED, ETHER)
    yield from orders("repeat", REPEATED, ETHER)
    yield from orders("poor", POOR, TETHER)


async def all_at_once(base_url: str, requests: list[Request]) -> list[Answer]:
    """Sends everything over so many connections, each of which sends one after the other."""
    async with asyncio.timeout(DEADLINE):
        shares = (requests[n::CONNECTIONS] for n in range(CONNECTIONS))
        answers = await asyncio.gather(*(one_connection(base_url, share) for share in shares))
    return [answer for share in answers for answer in share]


async def one_connection(base_url: str, requests: list[Request]) -> list[Answer]:
    url = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    answers = []
    for kind, n, data in requests:
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
        answers.append((kind, n, int(head[9:12]), await reader.readexactly(int(length))))
    writer.close()
    await writer.wait_closed()
    return answers


def test_a_crowd_leaves_what_arithmetic_says() -> None:
    with MockServer(limits=LIMITS) as server:
        server.clock.freeze()
        requests = list(crowd(server))
        random.Random(SEED).shuffle(requests)
        answers = asyncio.run(all_at_once(server.url, requests))
        assert Counter((kind, status) for kind, _, status, _ in answers) == STATUSES

        rows = {(row.asset, row.venue): row for row in server.cpg.balances("main")}
        assert rows["ETH", "ETH"].held == ETHER_HELD
        assert rows["USDT", "TRX"].held == rows["USDT", "TRX"].total == TETHER_HELD
        assert rows["USDT", "ETH"].held == Decimal(200)

        made: dict[str, dict[int, int]] = {"submit": {}, "repeat": {}, "poor": {}}
        for kind, n, status, body in answers:
            if kind in made and status == 200:
                made[kind][n] = json.loads(body)["data"]["withdrawal_id"]
        withdrawals = server.app.sandboxes.default.states["cpg"].ledger.records["withdrawal"]
        assert sorted([*made["submit"].values(), *made["poor"].values()]) == sorted(withdrawals)
        assert made["repeat"] == {n: made["submit"][n] for n in range(REPEATED)}

        assert server.app.sandboxes.default.journal.count == len(requests)
        with server.cpg.client() as client:  # one more is good, and then the key's limit is full
            assert [client.get(f"/v1/balances?last={n}").status_code for n in (1, 2)] == [200, 429]
