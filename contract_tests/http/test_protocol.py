"""HTTP/1.1 over raw sockets: bytes sent, and what must come back; and a bounded, seeded fuzz."""

import contextlib
import logging
import random
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from contract_tests.fuzz.damage import OFFER, cut, damaged
from contract_tests.support.raw import get
from contract_tests.support.rows import each
from contract_tests.support.sockets import (
    CONTINUE,
    HEALTH,
    HOST,
    LOST,
    NO_REQUEST,
    answers,
    converse,
    dial,
    main_read,
    read_to_end,
    statuses,
)
from mockserver import MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.http.connection import ANSWERS_MAX, Connection
from mockserver.http.parsing import DRAIN_MAX, HEADERS_MAX, URL_MAX

LAST = LOST.replace(HOST, HOST + b"Connection: close\r\n")
PATH = b"/v1/withdrawals"


@pytest.fixture(autouse=True)
def _no_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Holds that nothing a client sends is an error of the server."""
    yield
    records = caplog.get_records("call")
    assert [r.getMessage() for r in records if r.levelno >= logging.ERROR] == []


def post(body: bytes, *lines: bytes, path: bytes = PATH) -> bytes:
    head = [b"POST " + path + b" HTTP/1.1", HOST.strip(), *lines, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*head, b"", b""]) + body


def chunks(*rows: bytes, trailer: bytes = b"") -> bytes:
    head = b"POST " + PATH + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    return (
        head + b"".join(b"%x\r\n%b\r\n" % (len(r), r) for r in rows) + b"0\r\n" + trailer + b"\r\n"
    )


def many(count: int, line: bytes) -> bytes:
    return LOST.replace(HOST, HOST + line * count)


EXPECTING = b"Expect: 100-continue"
CLOSED, OPEN = True, False

# About, what is sent, the statuses of what comes back (100 is an interim one), and whether the
# connection says that it closes.
ROWS: list[tuple[str, bytes, list[int], bool]] = [
    ("nothing", b"", [], OPEN),
    ("line ends", b"\r\n\r\n", [], OPEN),
    ("one", LOST, [404], OPEN),
    ("three", LOST * 3, [404] * 3, OPEN),
    ("line ends between", LOST + b"\r\n" + LOST, [404, 404], OPEN),
    ("pages and a provider", HEALTH + LOST + HEALTH, [200, 404, 200], OPEN),
    ("nothing behind the last", LOST + LAST + LOST + NO_REQUEST, [404, 404], CLOSED),
    ("a page that is the last", HEALTH.replace(HOST, HOST + b"Connection: close\r\n") + LOST, [200], CLOSED),
    ("HTTP/1.0", LOST.replace(b"1.1", b"1.0") + LOST, [404], CLOSED),
    ("HTTP/1.0 that wants to stay", LOST.replace(b"1.1", b"1.0").replace(HOST, b"Connection: keep-alive\r\n"), [404], CLOSED),
    ("HTTP/1.0 that wants to stay, as old proxies say it", LOST.replace(b"1.1", b"1.0").replace(HOST, b"Proxy-Connection: keep-alive\r\n"), [404], CLOSED),
    ("a page by HTTP/1.0", HEALTH.replace(b"1.1", b"1.0"), [200], CLOSED),
    ("what is no request", LOST * 2 + NO_REQUEST + LOST, [404, 404, 400], CLOSED),
    ("what is no request, behind a page", HEALTH + LOST + HEALTH + NO_REQUEST, [200, 404, 200, 400], CLOSED),
    ("no Host behind a page", HEALTH + LOST.replace(HOST, b"") + LOST, [200, 400], CLOSED),
    ("a body", post(b"{}"), [401], OPEN),
    ("a body and more", post(b"{}") + LOST, [401, 404], OPEN),
    ("an empty body", post(b""), [401], OPEN),
    ("chunks", chunks(b"{", b"}") + LOST, [401, 404], OPEN),
    ("a trailer", chunks(b"{}", trailer=b"X-A: b\r\nHost: y\r\nExpect: tea\r\n") + LOST, [401, 404], OPEN),
    ("a length and chunks", chunks(b"{}").replace(HOST, HOST + b"Content-Length: 2\r\n"), [400], CLOSED),
    ("too large a body", post(b" " * (1024 * 1024 + 1)) + LOST, [413], CLOSED),
    ("too large a body of a call", post(b" " * (4 * 1024 * 1024 + 1), path=b"/healthz") + LOST, [405], CLOSED),
    ("a body that is expected", post(b"{}", EXPECTING) + LOST, [100, 401, 404], OPEN),
    ("a body that is expected, in capitals", post(b"{}", EXPECTING.upper()), [100, 401], OPEN),
    ("a body that is expected of a page", HEALTH + post(b"{}", EXPECTING, path=b"/healthz"), [200, 405], OPEN),
    ("HTTP/1.0 expects nothing", post(b"{}", EXPECTING).replace(b"1.1", b"1.0"), [401], CLOSED),
    ("tea is not expected", LOST + post(b"{}", b"Expect: tea") + LOST, [404, 417], CLOSED),
    ("a wish to close in capitals", LOST.replace(HOST, HOST + b"CONNECTION: CLOSE\r\n") + LOST, [404], CLOSED),
    ("a wish to close among others", LOST.replace(HOST, HOST + b"Connection: te, close\r\n") + LOST, [404], CLOSED),
    ("a chunk without a size", chunks(b"{}").replace(b"\r\n0\r\n", b"\r\nx\r\n"), [400], CLOSED),
    ("an offer", LOST.replace(HOST, HOST + OFFER + b"\r\n") * 3 + LOST, [404] * 4, OPEN),
    ("an offer with a body", post(b"{}", OFFER) * 3 + LOST, [401] * 3 + [404], OPEN),
    ("an offer with an empty body", post(b"", OFFER) * 3 + LOST, [401] * 3 + [404], OPEN),
    ("an offer with chunks", chunks(b"{", b"}").replace(HOST, HOST + OFFER + b"\r\n") * 2 + LOST, [401, 401, 404], OPEN),
    ("an offer that is the last", LAST.replace(b"close", b"close, Upgrade\r\nUpgrade: h2c") + LOST, [404], CLOSED),
    ("an offer of half a body", post(b"{}", OFFER)[:-1], [], OPEN),
    ("an offer and what is no request", LOST.replace(HOST, HOST + OFFER + b"\r\n") + NO_REQUEST, [404, 400], CLOSED),
    ("CONNECT", LOST.replace(b"GET", b"CONNECT") + LOST, [404, 404], OPEN),
    ("as many headers as may be", many(HEADERS_MAX - 1, b"A: b\r\n"), [404], OPEN),
    ("one header more", LOST + many(HEADERS_MAX, b"A: b\r\n") + LOST, [404, 431], CLOSED),
    ("a URL of the bound", LOST.replace(b"/lost", b"/".ljust(URL_MAX, b"a")) + LOST, [404, 404], OPEN),
    ("a URL that is longer", LOST + LOST.replace(b"/lost", b"/".ljust(URL_MAX + 1, b"a")) + LOST, [404, 414], CLOSED),
    ("a whole URL", LOST.replace(b"/lost", b"http://y/lost?a=b#c"), [404], OPEN),
    ("a whole URL without a path", LOST.replace(b"/lost", b"http://y?a=b"), [404], OPEN),
    ("a star", LOST.replace(b"GET /lost", b"OPTIONS *"), [404], OPEN),
    ("an address alone", LOST + LOST.replace(b"GET /lost", b"CONNECT y:80"), [404, 400], CLOSED),
    ("half a head", LOST + LOST[:-2], [404], OPEN),
    ("half a body", LOST + post(b"{}")[:-1], [404], OPEN),
]  # fmt: skip

each_row = each("data, expected, closes", ROWS)


def check(received: bytes, expected: list[int], closes: bool) -> None:
    final = received.replace(CONTINUE, b"")
    assert received.count(CONTINUE) == expected.count(100)
    responses = answers(final)
    assert [status for status, _, _ in responses] == [s for s in expected if s != 100]
    closing = [b"\r\nconnection: close" in head for _, head, _ in responses]
    assert closing == [False] * (len(responses) - 1) + [closes] * bool(responses)
    assert all(b"\r\ndate: " in head for _, head, _ in responses)


@each_row
def test_requests_in_one_packet_are_answered_in_order(
    server: MockServer, data: bytes, expected: list[int], closes: bool
) -> None:
    check(converse(server.cpg.base_url, data), expected, closes)


@each_row
def test_requests_in_small_pieces_are_answered_the_same(
    server: MockServer, data: bytes, expected: list[int], closes: bool
) -> None:
    size = max(1, len(data) // 40)
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    received = converse(server.cpg.base_url, *parts)
    if 100 not in expected and EXPECTING in data:
        received = received.replace(CONTINUE, b"")  # its body was not there yet
    check(received, expected, closes)


@each_row
def test_requests_behind_a_slow_response_are_answered_the_same(
    server: MockServer, data: bytes, expected: list[int], closes: bool
) -> None:
    server.cpg.fail(path="/slow", status=202, deliver={"delay": "20ms"})
    before = LOST.replace(b"/lost", b"/slow")
    received = converse(server.cpg.base_url, before + data).replace(CONTINUE, b"")
    check(received, [202, *(s for s in expected if s != 100)], closes and bool(expected))


BODILESS = [
    ("HEAD of a provider", LOST.replace(b"GET", b"HEAD"), 404),
    ("HEAD of a page", HEALTH.replace(b"GET", b"HEAD"), 200),
]


@each("data, status", BODILESS)
def test_head_is_answered_by_a_head_with_the_length_of_its_body(
    server: MockServer, data: bytes, status: int
) -> None:
    ((_, _, body),) = answers(converse(server.cpg.base_url, data.replace(b"HEAD", b"GET")))
    responses = answers(converse(server.cpg.base_url, data * 2), bodiless=True)
    assert [got for got, _, _ in responses] == [status] * 2
    if status == 200:
        assert all(b"content-length: %d" % len(body) in head for _, head, _ in responses)


def test_a_body_is_asked_for_behind_what_takes_time_and_before_it_comes(server: MockServer) -> None:
    server.cpg.fail(path="/slow", status=202, deliver={"delay": "50ms"})
    data = post(b"{}", EXPECTING)
    with dial(server.cpg.base_url) as connection:
        connection.sendall(LOST.replace(b"/lost", b"/slow") + data[:-2])
        received = b""
        while not received.endswith(CONTINUE):
            received += connection.recv(1 << 16)
        assert received.startswith(b"HTTP/1.1 202 ")
        connection.sendall(data[-2:])
        connection.shutdown(socket.SHUT_WR)
        assert statuses(read_to_end(connection)) == [401]


def test_a_body_without_end_is_refused_before_its_end(server: MockServer) -> None:
    with dial(server.cpg.base_url) as connection:
        connection.sendall(post(b"")[:-5] + b"9999999999\r\n\r\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b" " * (DRAIN_MAX + 1))
        ((status, head, _),) = answers(read_to_end(connection))
    assert (status, b"\r\nconnection: close" in head) == (413, True)


def test_a_stream_comes_in_chunks_and_the_connection_waits_for_its_end(server: MockServer) -> None:
    stream = get("/__admin/sandboxes/default/requests/stream", {})
    with dial(server.url) as connection:
        connection.sendall(stream + HEALTH)
        received = connection.recv(1 << 16)
        assert b"\r\ntransfer-encoding: chunked\r\n\r\n" in received
        converse(server.cpg.base_url, LOST)
        while b"\ndata: " not in received:
            received += connection.recv(1 << 16)
        assert b"HTTP/1.1 200 OK" not in received[12:]


# One write for a packet, and turns


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many responses left in each write."""
    counts: list[int] = []
    plain = Connection._flush  # noqa: SLF001

    def flush(connection: Connection) -> None:
        count = b"".join(connection.out).count(b"HTTP/1.1 ")
        counts.extend([count] if count else [])
        plain(connection)

    monkeypatch.setattr(Connection, "_flush", flush)
    return counts


def test_what_comes_in_one_packet_is_answered_in_one_write(
    server: MockServer, writes: list[int]
) -> None:
    assert statuses(converse(server.cpg.base_url, LOST * 20)) == [404] * 20
    assert writes == [20]


def test_a_connection_gets_at_most_a_hundred_responses_in_a_turn(
    server: MockServer, writes: list[int]
) -> None:
    assert statuses(converse(server.cpg.base_url, LOST * 1000)) == [404] * 1000
    assert sum(writes) == 1000
    assert max(writes) <= ANSWERS_MAX


# Fuzz

SEED = 490
RULES: list[dict[str, Any]] = [
    {"deliver": {"delay": "1ms"}},
    {"deliver": {"dribble": {"bytes": 40, "every": 0}}},
    {"status": 204},
    {"status": 418, "body": "tea"},
    {"reject": "service_unavailable"},
]


def good_ones(handle: ProviderHandle) -> list[tuple[bytes, int]]:
    """Returns requests and the statuses of their answers, none of which closes."""
    signed = main_read(handle)
    return [
        (signed, 200),
        (LOST, 404),
        (HEALTH, 200),
        (signed.replace(b"\r\n", b"\r\n" + OFFER + b"\r\n", 1), 200),
        (chunks(b"{", b"}", trailer=b"A: b\r\n").replace(PATH, b"/lost"), 404),
        (post(b"{" * 3000, path=b"/lost"), 404),
        (post(b"{}", OFFER, path=b"/lost"), 404),
        (get("/__admin/nothing", {}), 404),
        *(
            (LOST.replace(b"/lost", b"/rule%d" % n), status)
            for n, status in enumerate((404, 404, 204, 418, 503))
        ),
    ]


@pytest.mark.parametrize("seed", range(SEED, SEED + 20))
def test_good_requests_in_any_order_and_pieces_are_all_answered_in_order(
    server: MockServer, seed: int
) -> None:
    server.set_limits("off")
    for n, rule in enumerate(RULES):
        server.coinapi.fail(path=f"/rule{n}", **rule)
    chance = random.Random(seed)
    chosen = chance.choices(good_ones(server.coinapi), k=chance.choice([1, 3, 20, 150]))
    data = b"".join(row[0] for row in chosen)
    received = converse(server.coinapi.base_url, *cut(data, chance))
    assert statuses(received) == [status for _, status in chosen]


@pytest.mark.parametrize("place", ["coinapi", "cpg", "gateway"])
@pytest.mark.parametrize("seed", range(SEED, SEED + 6))
def test_damaged_requests_are_answered_or_refused_and_the_server_lives_on(
    server: MockServer, place: str, seed: int
) -> None:
    server.set_limits("off")
    chance = random.Random(f"{place} {seed}")
    url = server.url if place == "gateway" else getattr(server, place).base_url
    rows = [data for data, _ in good_ones(server.coinapi)]
    for _ in range(20):
        data = damaged(b"".join(chance.choices(rows, k=chance.randrange(1, 6))), chance)
        received = converse(url, *cut(data, chance))
        codes = [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", received)]
        assert all(status < 500 for status in codes), (data, received)
    assert statuses(converse(url, HEALTH)) == [200]
