"""Requests over a raw socket: odd heads, bodies in pieces, many at once, and who does not listen."""

# ruff: noqa: SLF001 - what waits shows within alone

import contextlib
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from contract_tests.clients.senders import dial
from contract_tests.support.raw import get, wire
from contract_tests.support.raw_requests import (
    KIB,
    MIB,
    chunked,
    instead,
    last,
    order,
    post,
    target,
)
from mockserver import HandClock, MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.engine.journal import JournalEntry
from mockserver.files import worlds
from mockserver.http import server as serving
from mockserver.http.connection import Connection
from mockserver.http.parsing import BODY, URL_MAX
from mockserver.providers import discover

BALANCES = "/v1/balances"
WITHDRAWALS = "/v1/withdrawals"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
GOODBYE = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
NOWHERE = b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

Edit = Callable[[bytes], bytes]


# One server


@pytest.fixture(scope="module")
def timeless() -> Iterator[MockServer]:
    """A server for which time stands still."""
    with MockServer(worlds.load("default"), real=HandClock()) as server:
        yield server


@pytest.fixture
def server(timeless: MockServer) -> MockServer:
    timeless.reset()
    return timeless


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The server's ends of the connections that are made from now on."""
    made: list[Any] = []
    plain = Connection.connection_made

    def connection_made(self: Connection, transport: Any) -> None:
        plain(self, transport)
        made.append(self)

    monkeypatch.setattr(Connection, "connection_made", connection_made)
    return made


# Sending and hearing


def entries(server: MockServer) -> list[JournalEntry]:
    with server.app.sandboxes.default.lock:
        return list(server.app.sandboxes.default.journal.entries)


def noticed(url: str) -> None:
    """Returns when a server has read what was sent to it before, on whichever connection."""
    with dial(url) as connection:
        connection.sendall(GOODBYE)
        assert to_the_end(connection).startswith(b"HTTP/1.1 200 ")


def to_the_end(connection: socket.socket) -> bytes:
    """Returns all that comes until the server closes."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):  # it had not read all: what came before counts
        while part := connection.recv(1 << 20):
            received += part
    return bytes(received)


def at_least(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = connection.recv(1 << 20)
        assert part, bytes(received[-500:])
        received += part
    return bytes(received)


def hear(connection: socket.socket) -> bytes:
    """Returns one answer that has a body, and nothing behind it."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += at_least(connection, 1)
    head, _, body = received.partition(b"\r\n\r\n")
    missing = int(re.findall(rb"content-length: ([0-9]+)", head)[0]) - len(body)
    received += at_least(connection, missing)
    assert missing >= 0
    return received


def spoken(url: str, *parts: bytes) -> bytes:
    """Sends parts, each when the one before has been read; returns all answers, and a goodbye's.

    The goodbye is not answered where the connection was closed before.
    """
    with dial(url) as connection:
        for part in parts:
            connection.sendall(part)
            noticed(url)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(GOODBYE)
        return dateless(to_the_end(connection))


def dateless(answers: bytes) -> bytes:
    return re.sub(rb"\r\ndate: [^\r]{29}\r\n", b"\r\ndate: " + b"-" * 29 + b"\r\n", answers)


def statuses(answers: bytes) -> list[int]:
    """Returns the statuses of answers, which are complete and one behind the other."""
    found, at = [], 0
    while at < len(answers):
        end = answers.index(b"\r\n\r\n", at) + 4
        head = answers[at:end]
        assert head.startswith(b"HTTP/1.1 "), head
        found.append(int(head[9:12]))
        length = re.search(rb"\r\ncontent-length: ([0-9]+)", head)
        at = end + (int(length[1]) if length else 0)
    assert at == len(answers)
    return found


def answered(server: MockServer, provider: str, *parts: bytes) -> bytes:
    """Returns what a provider answers to parts."""
    return spoken(getattr(server, provider).base_url, *parts)


def at(data: bytes, *edits: Edit) -> bytes:
    for edit in edits:
        data, before = edit(data), data
        assert data != before
    return data


def example(handle: ProviderHandle, query: str = "") -> bytes:
    """Writes a provider's main read."""
    return wire(handle.auth.example(handle.base_url, query))


def unsigned(handle: ProviderHandle) -> bytes:
    """Writes the main read of somebody who has no key."""
    draft = handle.example
    path = handle.provider.base_path + draft.path.decode()
    target = f"{path}?{draft.query.decode()}" if draft.query else path
    return get(target, {}, draft.method, draft.body)


def in_lower_case(data: bytes) -> bytes:
    head, _, body = data.partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    named = [header.partition(b":") for header in headers]
    return b"\r\n".join([line, *(n.lower() + c + v for n, c, v in named), b"", body])


def in_upper_case(data: bytes) -> bytes:
    head, _, body = data.partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    named = [header.partition(b":") for header in headers]
    return b"\r\n".join([line, *(n.upper() + c + v for n, c, v in named), b"", body])


# Every provider, good and refused

GOOD = dict.fromkeys(discover(), 200)
UNSIGNED = dict.fromkeys(GOOD, 401) | {"coinw": 200}  # with a code of its own in the body
LIMITS = {
    "cdp": "cdp.reads",
    "coinapi": "coinapi.reads",
    "coinstats": "coinstats.reads",
    "coinw": "coinw.returnBalances",
    "cpg": "cpg.key",
}
WRONG = {
    "cdp": (lambda handle: example(handle, "pageSize=x"), 400),
    "coinapi": (lambda handle: example(handle, "exchange_id=NOWHERE"), 490),
    "coinstats": (lambda handle: post("{", target="/v1/exchange/balance")(handle.auth), 400),
    "coinw": (lambda handle: at(example(handle), instead(b"&api_key=", b"&api_key=a&api_key=")), 400),
    "cpg": (lambda handle: post("{")(handle.auth), 422),
}  # fmt: skip


@pytest.mark.parametrize("provider", discover())
def test_a_good_and_a_refused_answer_go_over_a_raw_socket(
    server: MockServer, provider: str
) -> None:
    handle = getattr(server, provider)
    rows = [
        (example(handle), GOOD[provider]),
        (unsigned(handle), UNSIGNED[provider]),
        (NOWHERE, 404),
        (at(example(handle), lambda data: b"DELETE " + data.partition(b" ")[2]), 405),
    ]
    for data, status in rows:
        assert statuses(answered(server, provider, data)) == [status, 200]


@pytest.mark.parametrize("provider", discover())
def test_a_wrong_parameter_is_refused_the_same(server: MockServer, provider: str) -> None:
    write, status = WRONG[provider]
    if provider == "coinw":
        server.set_quirks({"coinw.error_status": "4xx"})
    assert statuses(answered(server, provider, write(getattr(server, provider))))[0] == status


@pytest.mark.parametrize("provider", discover())
def test_who_asks_too_often_is_told_so_the_same(server: MockServer, provider: str) -> None:
    server.set_limits({LIMITS[provider]: "1/60s"})
    handle = getattr(server, provider)
    answered(server, provider, example(handle, "n=1") + example(handle, "n=2"))
    assert [entry.reason for entry in entries(server)] == ["", "rate_limited"]


CHOICES = [
    (name, quirk.name, choice)
    for name, provider in discover().items()
    for quirk in provider.quirks
    for choice in quirk.choices or ([] if "media" not in quirk.name else ["text/x"])
]


@pytest.mark.parametrize(("provider", "quirk", "choice"), CHOICES, ids=str)
def test_every_quirk_shows_over_a_raw_socket(
    server: MockServer, provider: str, quirk: str, choice: str
) -> None:
    server.set_quirks({f"{provider}.{quirk}": choice})
    handle = getattr(server, provider)
    asked = [example(handle), unsigned(handle), NOWHERE]
    if "empty" in handle.others:
        asked.append(wire(handle.auth_as("empty").example(handle.base_url)))
    answered(server, provider, *asked)
    assert [entry.provider for entry in entries(server)] == [provider] * len(asked)


def test_a_body_of_no_bytes_is_one(server: MockServer) -> None:
    server.set_quirks({"coinw.empty": "zero-bytes"})
    asked = wire(server.coinw.auth_as("empty").example(server.coinw.base_url))
    heard = answered(server, "coinw", asked, asked)
    assert heard.count(b"\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 ") == 2


# Odd heads

ORDER = order()
PATH_ROOM = URL_MAX - len("/")
Write = Callable[[ProviderHandle], bytes]


def trailer(line: bytes) -> Edit:
    """Puts a line behind the last chunk."""
    return lambda data: data.removesuffix(b"\r\n") + line + b"\r\n\r\n"


def ask(*edits: Edit, target: str = BALANCES) -> Write:
    return lambda handle: at(wire(handle.auth.sign("GET", target, b"", "127.0.0.1")), *edits)


def after(name: bytes, blanks: bytes) -> Edit:
    """Puts blanks behind the value of a header."""
    line = rb"(?i)(\r\n" + name + rb": [^\r]*)"
    return lambda data: re.sub(line, rb"\g<1>" + blanks, data, count=1)


def tell(*edits: Edit) -> Write:
    return lambda handle: post(ORDER, *edits)(handle.auth)


def plain(data: bytes) -> Write:
    return lambda handle: data


HEADS = [
    ("names in small letters", ask(in_lower_case), 200),
    ("names in capitals", ask(in_upper_case), 200),
    ("a header twice", ask(last(b"X-A: 1"), last(b"x-a: 2")), 200),
    ("a key twice", ask(last(b"X-CPG-KEY: other")), 200),
    ("an empty value", ask(last(b"X-A:")), 200),
    ("a value of blanks", ask(last(b"X-A: \t ")), 200),
    ("blanks round a value", ask(last(b"X-A: \t a  b \t ")), 200),
    ("no blank before a value", ask(instead(b"Host: ", b"Host:")), 200),
    ("a value that is no ASCII", ask(last(b"X-A: \xc3\xa9\xff")), 200),
    ("a folded value", ask(last(b"X-A: a\r\n b")), 400),
    ("a blank before the colon", ask(last(b"X-A : a")), 400),
    ("no Host", plain(b"GET /nowhere HTTP/1.1\r\n\r\n"), 400),
    ("two Hosts", ask(last(b"Host: elsewhere")), 400),
    ("line ends before", ask(lambda data: b"\r\n\r\n" + data), 200),
    ("a head of 60 KiB", ask(last(b"X-A: " + b"a" * 60 * KIB)), 200),
    ("a thousand headers", ask(*(last(b"X-%d: %d" % (n, n)) for n in range(1000))), 200),
    ("an absolute target", ask(target(b"http://127.0.0.1/v1/balances")), 200),
    ("two slashes", ask(target=f"/{BALANCES}"), 404),
    ("a key and blanks", ask(after(b"X-CPG-Key", b" \t ")), 200),
    ("two slashes and a port", plain(get("//x:99999/a", {})), 404),
    ("a question mark alone", ask(target(b"/v1/balances?")), 200),
    ("only a query", plain(get("/?a=b", {})), 404),
    ("two question marks", ask(target=BALANCES + "??a=?b"), 200),
    ("a fragment", ask(target(b"/v1/balances#a")), 200),
    ("a fragment in a query", ask(target(b"/v1/balances?#a")), 200),
    ("a backslash", plain(get('/a\\b|c{d}^`"<>', {})), 404),
    ("an escape that is none", ask(target=BALANCES + "%zz%"), 404),
    ("a star", plain(get("*", {}, "OPTIONS")), 404),
    ("a byte that is no ASCII", plain(NOWHERE.replace(b"/n", b"/\xc3\xa9")), 400),
    ("a DEL", plain(NOWHERE.replace(b"/n", b"/\x7f")), 400),
    ("a path as long as may be", plain(get("/" + "a" * PATH_ROOM, {})), 404),
    ("a longer path", plain(get("/" + "a" * (PATH_ROOM + 1), {})), 414),
    ("a long query", ask(target=BALANCES + "?a=" + "b" * 7000), 200),
    ("HEAD", plain(get(BALANCES, {}, "HEAD")), 405),
    ("OPTIONS", plain(get(BALANCES, {}, "OPTIONS")), 405),
    ("TRACE", plain(get(BALANCES, {}, "TRACE")), 405),
    ("an unknown method", plain(get(BALANCES, {}, "BREW")), 400),
    ("HTTP/1.0", ask(instead(b"HTTP/1.1", b"HTTP/1.0")), 200),
    ("HTTP/1.0 kept", ask(instead(b"HTTP/1.1", b"HTTP/1.0"), last(b"Connection: keep-alive")), 200),
    ("a wish to stay", ask(last(b"Connection: keep-alive")), 200),
    ("a wish to close", ask(last(b"Connection: close")), 200),
    ("a wish in capitals", ask(last(b"CONNECTION: CLOSE")), 200),
    ("a wish among others", ask(last(b"Connection: te, close")), 200),
    ("an offer", ask(last(b"Connection: Upgrade"), last(b"Upgrade: h2c")), 200),
    ("an offer in one header", ask(last(b"Upgrade: h2c")), 200),
    ("a body of a read", ask(last(b"Content-Length: 2"), lambda data: data + b"{}"), 401),
    ("a body", tell(), 200),
    ("an expected answer", tell(last(b"Expect: 100-continue")), 100),
    ("an expected answer in capitals", tell(last(b"EXPECT: 100-CONTINUE")), 100),
    ("another expectation", tell(last(b"Expect: much")), 417),
    ("a chunk", tell(chunked(1000)), 200),
    ("chunks of one", tell(chunked(1)), 200),
    ("chunks with an extension", tell(chunked(7, b";a=b")), 200),
    ("chunks and a trailer", tell(chunked(7), trailer(b"X-A: b")), 200),
    ("a trailer of a key", tell(chunked(7), trailer(b"X-CPG-KEY: other")), 200),
    ("a trailer that expects", tell(chunked(7), trailer(b"Expect: 100-continue")), 200),
    ("a chunk that is none", tell(chunked(7), instead(b"\r\n0\r\n", b"\r\nx\r\n")), 400),
]  # fmt: skip


each_head = pytest.mark.parametrize(
    ("write", "status"), [row[1:] for row in HEADS], ids=[row[0] for row in HEADS]
)


@each_head
def test_an_odd_head_is_answered_the_same(server: MockServer, write: Write, status: int) -> None:
    heard = answered(server, "cpg", write(server.cpg))
    assert int(heard[9:12]) == status


@each_head
def test_an_odd_head_is_answered_the_same_where_a_rule_waits_for_others(
    server: MockServer,
    write: Write,
    status: int,
) -> None:
    ruled(server)
    heard = answered(server, "cpg", write(server.cpg))
    assert int(heard[9:12]) == status


def ruled(server: MockServer) -> None:
    """Sets a rule that fires for nobody."""
    server.cpg.fail("for-nobody", query={"nobody": "here"}, status=418)


# Bodies, whole and in pieces

SIZES = [(0, 422), (1, 422), (64 * KIB, 200), (MIB - 1, 200), (MIB, 200), (MIB + 1, 413)]


@pytest.mark.parametrize(("size", "status"), SIZES, ids=str)
def test_a_body_of_any_size_is_answered_the_same(
    server: MockServer, size: int, status: int
) -> None:
    body = ORDER[:size] + " " * (size - len(ORDER))
    heard = answered(server, "cpg", post(body)(server.cpg.auth))
    assert statuses(heard) == ([413] if status == 413 else [status, 200])
    assert len(entries(server)) == 1


@pytest.mark.parametrize("pieces", [1, 2, 5, len(ORDER)])
@pytest.mark.parametrize("framing", [[], [chunked(7)], [chunked(7), trailer(b"X-A: b")]], ids=len)
def test_a_body_in_pieces_is_answered_the_same(
    server: MockServer, framing: list[Edit], pieces: int
) -> None:
    data = tell(*framing)(server.cpg)
    head, blank, body = data.partition(b"\r\n\r\n")
    size = -(-len(body) // pieces)
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    heard = answered(server, "cpg", head + blank + parts[0], *parts[1:])
    assert statuses(heard) == [200, 200]


def test_a_body_that_is_asked_for_comes_afterwards(server: MockServer) -> None:
    data = tell(last(b"Expect: 100-continue"))(server.cpg)
    head = data.removesuffix(ORDER.encode())
    heard = answered(server, "cpg", head, data[len(head) :])
    assert heard.startswith(CONTINUE)
    assert statuses(heard.removeprefix(CONTINUE)) == [200, 200]


def test_a_request_may_be_cut_anywhere(server: MockServer) -> None:
    server.set_quirks({"cpg.replay": "off"})
    server.set_limits("off")
    server.cpg.set_balance("main", "USDT", venue="ETH", total="1000000")
    url, data = server.cpg.base_url, tell(chunked(40), trailer(b"X-A: b"))(server.cpg)
    with dial(url) as connection, dial(url) as other:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in range(1, len(data)):
            connection.sendall(data[:cut])
            other.sendall(NOWHERE)
            hear(other)
            connection.sendall(data[cut:])
            assert hear(connection).startswith(b"HTTP/1.1 200 "), data[:cut]
    kept = [entry for entry in entries(server) if not entry.reason]
    assert len(kept) == len(data) - 1
    assert {(entry.request_headers, entry.request_body) for entry in kept} == {
        (kept[0].request_headers, ORDER.encode())
    }


# Many at once


def mixed(server: MockServer) -> list[bytes]:
    """Writes requests for the gateway's port: to providers, good and refused, and to its pages."""
    asked = [HEALTH]
    for name in discover():
        handle = getattr(server, name)
        good = example(handle)
        method, target, rest = good.split(b" ", 2)
        prefixed = b"/%b%b" % (name.encode(), target)
        asked += [b" ".join([verb, prefixed, rest]) for verb in (method, b"DELETE")]
        asked.append(get(f"/{name}/nowhere", {}))
    asked += [get("/__admin/health", {}), get("/cpg/~none/v1/balances", {}), get("/nobody", {})]
    return [*asked, asked[1].replace(b" /cdp/", b" /cdp/~default/", 1)]


def talk_at_once(url: str, data: bytes) -> bytes:
    """Sends all of it, whoever listens, and hears all that is answered."""
    with dial(url) as connection:
        sending = threading.Thread(target=swallowing(connection.sendall), args=[data + GOODBYE])
        sending.start()
        heard = to_the_end(connection)
        sending.join()
    return dateless(heard)


def swallowing(send: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Sends to somebody who may have closed."""

    def sending(data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send(data)

    return sending


@pytest.mark.parametrize("number", [2, 50, 2000])
def test_requests_that_come_at_once_are_answered_in_order(server: MockServer, number: int) -> None:
    server.set_quirks({"cpg.replay": "off"})
    server.set_limits("off")
    asked = mixed(server)
    single = [statuses(spoken(server.url, data))[0] for data in asked]
    assert sorted(set(single)) == [200, 404, 405]
    server.reset()
    server.set_quirks({"cpg.replay": "off"})
    server.set_limits("off")
    many = [asked[n * 7 % len(asked)] for n in range(number)]
    heard = talk_at_once(server.url, b"".join(many))
    assert statuses(heard) == [single[n * 7 % len(asked)] for n in range(number)] + [200]


def test_reads_of_one_provider_at_once_are_answered_in_order(server: MockServer) -> None:
    asked = [example(server.coinapi), unsigned(server.coinapi), NOWHERE] * 20
    heard = talk_at_once(server.coinapi.base_url, b"".join(asked))
    assert statuses(heard) == [200, 401, 404] * 20 + [200]


GARBAGE = b"Good morning.\r\n\r\n"


def test_what_is_no_request_is_refused_behind_good_ones(server: MockServer) -> None:
    good = example(server.coinapi)
    heard = talk_at_once(server.coinapi.base_url, good * 3 + GARBAGE + good)
    assert statuses(heard) == [200, 200, 200, 400]
    assert heard.endswith(b"\r\nconnection: close\r\n\r\nInvalid HTTP request received.")
    assert len(entries(server)) == 3


def test_what_is_no_request_is_refused_behind_answers_that_take_time(server: MockServer) -> None:
    server.coinapi.fail(deliver={"delay": "20ms"})
    good = example(server.coinapi)
    heard = talk_at_once(server.coinapi.base_url, good * 3 + GARBAGE + good)
    assert statuses(heard) == [200, 200, 200, 400]
    assert len(entries(server)) == 3


def test_nothing_is_answered_behind_a_wish_to_close(server: MockServer) -> None:
    good = example(server.coinapi)
    asked = good * 2 + at(good, last(b"Connection: close")) + good * 2
    heard = talk_at_once(server.coinapi.base_url, asked)
    assert statuses(heard) == [200] * 3
    assert len(entries(server)) == 3


@pytest.mark.parametrize("asked", [1, 3])
def test_who_has_nothing_more_to_say_still_hears(server: MockServer, asked: int) -> None:
    good = example(server.coinapi)
    with dial(server.coinapi.base_url) as connection:
        connection.sendall(good * asked)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(to_the_end(connection)) == [200] * asked


# Who does not listen

HELD_MAX = 256 * KIB  # bytes of answers that wait for whoever does not read them


def held(connection: Any) -> int:
    """Returns how many bytes of answers wait within the server."""
    return sum(map(len, connection.out)) + connection.transport.get_write_buffer_size()


@pytest.fixture
def peak(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes of answers waited on a connection, whenever one more was made."""
    sizes: list[int] = []
    plain = Connection._send

    def send(self: Connection, *answer: Any) -> None:
        plain(self, *answer)
        sizes.append(held(self))

    monkeypatch.setattr(Connection, "_send", send)
    return sizes


def test_answers_that_leave_together_are_not_collected_without_end(
    server: MockServer, peak: list[int]
) -> None:
    asked = example(server.coinapi) * 1000
    assert statuses(talk_at_once(server.coinapi.base_url, asked)) == [200] * 1001
    assert max(peak) < HELD_MAX


def test_who_never_listens_is_not_answered_without_end(
    server: MockServer, connections: list[Any]
) -> None:
    data = example(server.coinapi)
    many = data * (MIB // len(data))
    with dial(server.coinapi.base_url) as connection:
        connection.sendall(data)
        hear(connection)
        (deaf,) = connections
        connection.setblocking(False)
        taken, looks = 0, 0
        while looks < 5:  # at which it took no more
            try:
                taken += connection.send(many[taken % len(data) :])
            except BlockingIOError:
                looks += 1
            noticed(server.url)
            assert held(deaf) < HELD_MAX
            assert taken < 32 * MIB, "it goes on reading"
        answered = len(entries(server))
        connection.setblocking(True)
        rest = data[taken % len(data) :] if taken % len(data) else b""
        sending = threading.Thread(target=connection.sendall, args=[rest + GOODBYE])
        sending.start()
        heard = statuses(to_the_end(connection))
        sending.join()
    whole = (taken + len(rest)) // len(data)
    assert 1 < answered < whole
    assert heard == [200] * (whole + 1)


# What control changes between two requests


def test_a_rule_and_a_skew_are_in_force_at_the_next_request(server: MockServer) -> None:
    good = example(server.coinapi)
    with dial(server.coinapi.base_url) as connection:

        def ask() -> bytes:
            connection.sendall(good)
            return hear(connection)

        first = ask()
        server.coinapi.fail("tea", status=418, body="tea")
        assert ask().startswith(b"HTTP/1.1 418 ")
        server.clear_faults()
        assert dateless(ask()) == dateless(first)
        server.clock.skew("90000h")
        assert re.findall(rb"date: .* (20[0-9]{2}) ", ask()) != re.findall(
            rb"date: .* (20[0-9]{2}) ", first
        )
        server.clock.skew("0s")
        assert dateless(ask()) == dateless(first)


def test_a_delivery_and_plain_answers_share_a_connection(server: MockServer) -> None:
    good = example(server.coinapi)
    with dial(server.coinapi.base_url) as connection:
        connection.sendall(good)
        expected = dateless(hear(connection))
        server.coinapi.fail(deliver={"dribble": {"bytes": 100, "every": 0}})
        connection.sendall(good * 2)
        assert dateless(at_least(connection, 2 * len(expected))) == expected * 2
        for _ in range(5):  # its last byte is on its way before a delivery is over
            noticed(server.url)
        server.clear_faults()
        connection.sendall(good)
        assert dateless(hear(connection)) == expected
        server.coinapi.fail(deliver={"cut": 0})
        connection.sendall(good)
        assert dateless(to_the_end(connection)) == expected.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def test_a_reset_of_one_sandbox_loses_no_answer_of_another(server: MockServer) -> None:
    other = server.sandbox()
    other.coinapi.fail(deliver={"reset": "before"})
    first, second = example(server.coinapi), example(other.coinapi)
    with dial(server.coinapi.base_url) as connection:
        connection.sendall(first + second)
        assert statuses(to_the_end(connection)) == [200]
    server.drop(other)


# What goes wrong within


@pytest.fixture
def broken(server: MockServer) -> Iterator[MockServer]:
    """A server whose journal has a follower that cannot follow."""
    followers = server.app.sandboxes.default.journal.followers

    def follow(entry: JournalEntry) -> None:
        if b"follow=no" in entry.target:
            raise RuntimeError("lost")

    followers.append(follow)
    yield server
    followers.remove(follow)


def test_an_error_of_ours_is_told_and_the_server_lives_on(
    broken: MockServer, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = (example(broken.coinapi, f"follow={word}") for word in ("yes", "no"))
    with dial(broken.coinapi.base_url) as connection:
        connection.sendall(good + bad)
        heard = to_the_end(connection)
    assert statuses(heard) == [200, 500]
    assert b"\r\nconnection: close\r\n" in heard.rpartition(b"HTTP/1.1 500")[2]
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors] == ["internal error"]
    assert errors[0].exc_info
    assert str(errors[0].exc_info[1]) == "lost"
    assert statuses(spoken(broken.coinapi.base_url, good)) == [200, 200]


def test_nothing_is_carried_out_behind_an_error_of_ours(broken: MockServer) -> None:
    bad = example(broken.cpg, "follow=no")
    with dial(broken.cpg.base_url) as connection:
        connection.sendall(bad + tell()(broken.cpg))
        assert statuses(to_the_end(connection)) == [500]
    noticed(broken.url)
    assert [entry.operation for entry in entries(broken)] == ["listBalances"]


def test_an_offer_behind_an_error_of_ours_lets_the_error_out(broken: MockServer) -> None:
    bad = example(broken.coinapi, "follow=no")
    offer = instead(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    with dial(broken.coinapi.base_url) as connection:
        connection.sendall(bad + offer(example(broken.coinapi)))
        assert statuses(to_the_end(connection)) == [500]


# When it ends


IN_USE = [
    ("half a body behind an answer", lambda handle: example(handle) + post(ORDER)(handle.auth)[:-1]),
    ("half a body", lambda handle: post(ORDER)(handle.auth)[:-1]),
    ("half a chunk", lambda handle: post(ORDER, chunked(7))(handle.auth)[:-9]),
]  # fmt: skip


@pytest.mark.parametrize("write", [row[1] for row in IN_USE], ids=[row[0] for row in IN_USE])
def test_no_idle_time_closes_a_connection_that_is_in_use(
    server: MockServer, connections: list[Any], write: Write
) -> None:
    with dial(server.cpg.base_url) as connection:
        connection.sendall(write(server.cpg))
        noticed(server.url)
        assert connections[0].stage == BODY


def test_an_idle_connection_closes_in_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "IDLE", 0.2)
    with MockServer() as server, dial(server.coinapi.base_url) as connection:
        for _ in range(2):
            began = time.monotonic()
            connection.sendall(example(server.coinapi))
            assert hear(connection).startswith(b"HTTP/1.1 200 ")
        assert connection.recv(1) == b""
        assert 0.19 < time.monotonic() - began < 30  # a hang fails


def test_a_stop_waits_for_nobody_who_is_idle_or_half_way() -> None:
    with MockServer() as server, contextlib.ExitStack() as stack:
        good, order = example(server.cpg), post(ORDER)(server.cpg.auth)
        connections = []
        for before, data in [(good, b""), (b"", good[:9]), (b"", order[:-9]), (order, good[:-1])]:
            connection = stack.enter_context(dial(server.cpg.base_url))
            if before:
                connection.sendall(before)
                assert hear(connection).startswith(b"HTTP/1.1 200 ")
            connection.sendall(data)
            connections.append(connection)
        noticed(server.url)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 30  # a hang fails
        assert [to_the_end(connection) for connection in connections] == [b""] * 4


def test_a_key_of_a_new_world_is_hidden_at_once(server: MockServer) -> None:
    secret = "a-secret-of-tomorrow"
    sandbox, before = server.app.sandboxes.default, server.app.sandboxes.default.world
    told = get(f"/v1/balances?n={secret}", {"X-Note": secret})
    url = urlsplit(server.coinapi.base_url).netloc
    data = worlds.data(worlds.find("default"))
    data["coinapi"]["keys"]["tomorrow"] = {"api_key": secret, "account": "main"}
    with dial(f"http://{url}") as connection:
        try:
            for world in (before, worlds.from_data(data, "tomorrow")):
                sandbox.load(world)
                connection.sendall(told)
                hear(connection)
        finally:
            sandbox.load(before)
    seen = [secret.encode() in entry.target + entry.request_headers for entry in entries(server)]
    assert seen == [True, False]
