"""The direct way of a request, and uvicorn's: no client can tell which one was taken.

What is asked is asked twice, of a server that has the direct way and of one that has none;
both have one world and one time, and each of them answers every byte the same.
"""

# ruff: noqa: SLF001 - which way was taken, and what waits, shows within alone

import contextlib
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from clients.senders import dial
from msgspec.structs import replace
from raw import get, wire
from test_bad_input import KIB, MIB, chunked, instead, last, order, post, target
from test_clients import state

from mockserver import HandClock, MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.engine.journal import JournalEntry
from mockserver.files import worlds
from mockserver.http import server as serving
from mockserver.http.direct import URL_MAX, Direct
from mockserver.http.transport import Protocol
from mockserver.providers import discover

BALANCES = "/v1/balances"
WITHDRAWALS = "/v1/withdrawals"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
GOODBYE = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
NOWHERE = b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

Edit = Callable[[bytes], bytes]
Pair = tuple[MockServer, MockServer]


# Two servers


@pytest.fixture(scope="module")
def running_pair() -> Iterator[Pair]:
    """A server that has the direct way, and one that has only uvicorn's; time stands still."""
    world, real = worlds.load("default"), HandClock()
    with contextlib.ExitStack() as stack:
        both = MockServer(world, real=real), MockServer(world, real=real)
        stack.enter_context(both[0])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(serving, "Server", partial(serving.Server, protocol=Protocol))
            stack.enter_context(both[1])
        yield both


@pytest.fixture
def pair(running_pair: Pair) -> Pair:
    for server in running_pair:
        server.reset()
    return running_pair


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The statuses that were answered on the direct way."""
    statuses: list[int] = []
    plain = Direct._send

    def send(self: Direct, response: Any) -> None:
        statuses.append(response.status)
        plain(self, response)

    monkeypatch.setattr(Direct, "_send", send)
    return statuses


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The server's ends of the connections that are made from now on."""
    made: list[Any] = []
    plain = Direct.connection_made

    def connection_made(self: Direct, transport: Any) -> None:
        plain(self, transport)
        made.append(self)

    monkeypatch.setattr(Direct, "connection_made", connection_made)
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


def asked_of_both(pair: Pair, provider: str, *parts: bytes) -> bytes:
    """Asks both servers; returns what both of them answered."""
    heard = [spoken(getattr(server, provider).base_url, *parts) for server in pair]
    assert heard[0] == heard[1]
    assert journals(pair[0]) == journals(pair[1])
    assert state(pair[0]) == state(pair[1])
    return heard[0]


def journals(server: MockServer) -> list[JournalEntry]:
    """Returns what was kept, without what measures real time."""
    return [replace(entry, duration=0) for entry in entries(server)]


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
def test_a_good_and_a_refused_answer_are_those_of_the_other_way(
    pair: Pair, sent: list[int], provider: str
) -> None:
    handle = getattr(pair[0], provider)
    rows = [
        (example(handle), GOOD[provider]),
        (unsigned(handle), UNSIGNED[provider]),
        (NOWHERE, 404),
        (at(example(handle), lambda data: b"DELETE " + data.partition(b" ")[2]), 405),
    ]
    for data, status in rows:
        assert statuses(asked_of_both(pair, provider, data)) == [status, 200]
    assert sent == [status for _, status in rows]


@pytest.mark.parametrize("provider", discover())
def test_a_wrong_parameter_is_refused_the_same(pair: Pair, sent: list[int], provider: str) -> None:
    write, status = WRONG[provider]
    if provider == "coinw":
        for server in pair:
            server.set_quirks({"coinw.error_status": "4xx"})
    asked_of_both(pair, provider, write(getattr(pair[0], provider)))
    assert sent == [status]


@pytest.mark.parametrize("provider", discover())
def test_who_asks_too_often_is_told_so_the_same(pair: Pair, sent: list[int], provider: str) -> None:
    for server in pair:
        server.set_limits({LIMITS[provider]: "1/60s"})
    handle = getattr(pair[0], provider)
    asked_of_both(pair, provider, example(handle, "n=1") + example(handle, "n=2"))
    assert [entry.reason for entry in entries(pair[0])] == ["", "rate_limited"]
    assert sent == [200, 200 if provider == "coinw" else 429]


CHOICES = [
    (name, quirk.name, choice)
    for name, provider in discover().items()
    for quirk in provider.quirks
    for choice in quirk.choices or ([] if "media" not in quirk.name else ["text/x"])
]


@pytest.mark.parametrize(("provider", "quirk", "choice"), CHOICES, ids=str)
def test_every_quirk_shows_the_same_both_ways(
    pair: Pair, sent: list[int], provider: str, quirk: str, choice: str
) -> None:
    for server in pair:
        server.set_quirks({f"{provider}.{quirk}": choice})
    handle = getattr(pair[0], provider)
    asked = [example(handle), unsigned(handle), NOWHERE]
    if "empty" in handle.others:
        asked.append(wire(handle.auth_as("empty").example(handle.base_url)))
    asked_of_both(pair, provider, *asked)
    assert len(sent) == len(asked)


def test_a_body_of_no_bytes_is_one(pair: Pair, sent: list[int]) -> None:
    for server in pair:
        server.set_quirks({"coinw.empty": "zero-bytes"})
    asked = wire(pair[0].coinw.auth_as("empty").example(pair[0].coinw.base_url))
    heard = asked_of_both(pair, "coinw", asked, asked)
    assert heard.count(b"\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 ") == 2
    assert sent == [200, 200]


# Odd heads

DIRECT, LONG = True, False
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
    ("names in small letters", ask(in_lower_case), 200, DIRECT),
    ("names in capitals", ask(in_upper_case), 200, DIRECT),
    ("a header twice", ask(last(b"X-A: 1"), last(b"x-a: 2")), 200, DIRECT),
    ("a key twice", ask(last(b"X-CPG-KEY: other")), 200, DIRECT),
    ("an empty value", ask(last(b"X-A:")), 200, DIRECT),
    ("a value of blanks", ask(last(b"X-A: \t ")), 200, DIRECT),
    ("blanks round a value", ask(last(b"X-A: \t a  b \t ")), 200, DIRECT),
    ("no blank before a value", ask(instead(b"Host: ", b"Host:")), 200, DIRECT),
    ("a value that is no ASCII", ask(last(b"X-A: \xc3\xa9\xff")), 200, DIRECT),
    ("a folded value", ask(last(b"X-A: a\r\n b")), 400, None),
    ("a blank before the colon", ask(last(b"X-A : a")), 400, None),
    ("no Host", plain(b"GET /nowhere HTTP/1.1\r\n\r\n"), 400, None),
    ("two Hosts", ask(last(b"Host: elsewhere")), 400, None),
    ("line ends before", ask(lambda data: b"\r\n\r\n" + data), 200, DIRECT),
    ("a head of 60 KiB", ask(last(b"X-A: " + b"a" * 60 * KIB)), 200, DIRECT),
    ("a thousand headers", ask(*(last(b"X-%d: %d" % (n, n)) for n in range(1000))), 200, DIRECT),
    ("an absolute target", ask(target(b"http://127.0.0.1/v1/balances")), 200, LONG),
    ("two slashes", ask(target=f"/{BALANCES}"), 404, DIRECT),
    ("a key and blanks", ask(after(b"X-CPG-Key", b" \t ")), 200, DIRECT),
    ("two slashes and a port", plain(get("//x:99999/a", {})), 404, DIRECT),
    ("a question mark alone", ask(target(b"/v1/balances?")), 200, DIRECT),
    ("only a query", plain(get("/?a=b", {})), 404, DIRECT),
    ("two question marks", ask(target=BALANCES + "??a=?b"), 200, DIRECT),
    ("a fragment", ask(target(b"/v1/balances#a")), 200, LONG),
    ("a fragment in a query", ask(target(b"/v1/balances?#a")), 200, LONG),
    ("a backslash", plain(get('/a\\b|c{d}^`"<>', {})), 404, DIRECT),
    ("an escape that is none", ask(target=BALANCES + "%zz%"), 404, DIRECT),
    ("a star", plain(get("*", {}, "OPTIONS")), 404, LONG),
    ("a byte that is no ASCII", plain(NOWHERE.replace(b"/n", b"/\xc3\xa9")), 400, LONG),
    ("a DEL", plain(NOWHERE.replace(b"/n", b"/\x7f")), 400, None),
    ("a path as long as may be", plain(get("/" + "a" * PATH_ROOM, {})), 404, DIRECT),
    ("a longer path", plain(get("/" + "a" * (PATH_ROOM + 1), {})), 404, LONG),
    ("a long query", ask(target=BALANCES + "?a=" + "b" * 7000), 200, DIRECT),
    ("HEAD", plain(get(BALANCES, {}, "HEAD")), 405, LONG),
    ("OPTIONS", plain(get(BALANCES, {}, "OPTIONS")), 405, DIRECT),
    ("TRACE", plain(get(BALANCES, {}, "TRACE")), 405, LONG),
    ("an unknown method", plain(get(BALANCES, {}, "BREW")), 400, None),
    ("HTTP/1.0", ask(instead(b"HTTP/1.1", b"HTTP/1.0")), 200, LONG),
    ("HTTP/1.0 kept", ask(instead(b"HTTP/1.1", b"HTTP/1.0"), last(b"Connection: keep-alive")), 200, LONG),
    ("a wish to stay", ask(last(b"Connection: keep-alive")), 200, DIRECT),
    ("a wish to close", ask(last(b"Connection: close")), 200, LONG),
    ("a wish in capitals", ask(last(b"CONNECTION: CLOSE")), 200, LONG),
    ("a wish among others", ask(last(b"Connection: te, close")), 200, LONG),
    ("an offer", ask(last(b"Connection: Upgrade"), last(b"Upgrade: h2c")), 200, LONG),
    ("an offer in one header", ask(last(b"Upgrade: h2c")), 200, DIRECT),
    ("a body of a read", ask(last(b"Content-Length: 2"), lambda data: data + b"{}"), 401, DIRECT),
    ("a body", tell(), 200, DIRECT),
    ("an expected answer", tell(last(b"Expect: 100-continue")), 100, LONG),
    ("an expected answer in capitals", tell(last(b"EXPECT: 100-CONTINUE")), 100, LONG),
    ("another expectation", tell(last(b"Expect: much")), 200, DIRECT),
    ("a chunk", tell(chunked(1000)), 200, DIRECT),
    ("chunks of one", tell(chunked(1)), 200, DIRECT),
    ("chunks with an extension", tell(chunked(7, b";a=b")), 200, DIRECT),
    ("chunks and a trailer", tell(chunked(7), trailer(b"X-A: b")), 200, DIRECT),
    ("a trailer of a key", tell(chunked(7), trailer(b"X-CPG-KEY: other")), 200, DIRECT),
    ("a trailer that expects", tell(chunked(7), trailer(b"Expect: 100-continue")), 200, DIRECT),
    ("a chunk that is none", tell(chunked(7), instead(b"\r\n0\r\n", b"\r\nx\r\n")), 400, None),
]  # fmt: skip


each_head = pytest.mark.parametrize(
    ("write", "status", "way"), [row[1:] for row in HEADS], ids=[row[0] for row in HEADS]
)


@each_head
def test_an_odd_head_is_answered_the_same(
    pair: Pair, sent: list[int], write: Write, status: int, way: bool | None
) -> None:
    heard = asked_of_both(pair, "cpg", write(pair[0].cpg))
    assert int(heard[9:12]) == status
    if way is not None:
        assert sent == ([status] if way else [])


@each_head
def test_an_odd_head_is_answered_the_same_where_a_rule_waits_for_others(
    pair: Pair,
    sent: list[int],
    write: Write,
    status: int,
    way: bool | None,
) -> None:
    for server in pair:
        ruled(server)
    heard = asked_of_both(pair, "cpg", write(pair[0].cpg))
    assert (int(heard[9:12]), sent) == (status, [])


def ruled(server: MockServer) -> None:
    """Sets a rule that fires for nobody."""
    server.cpg.fail("for-nobody", query={"nobody": "here"}, status=418)


# Bodies, whole and in pieces

SIZES = [(0, 422), (1, 422), (64 * KIB, 200), (MIB - 1, 200), (MIB, 200), (MIB + 1, 413)]


@pytest.mark.parametrize(("size", "status"), SIZES, ids=str)
def test_a_body_of_any_size_is_answered_the_same(pair: Pair, size: int, status: int) -> None:
    body = ORDER[:size] + " " * (size - len(ORDER))
    heard = asked_of_both(pair, "cpg", post(body)(pair[0].cpg.auth))
    assert statuses(heard) == ([413] if status == 413 else [status, 200])
    assert len(entries(pair[0])) == 1


@pytest.mark.parametrize("pieces", [1, 2, 5, len(ORDER)])
@pytest.mark.parametrize("framing", [[], [chunked(7)], [chunked(7), trailer(b"X-A: b")]], ids=len)
def test_a_body_in_pieces_is_answered_the_same(
    pair: Pair, sent: list[int], framing: list[Edit], pieces: int
) -> None:
    data = tell(*framing)(pair[0].cpg)
    head, blank, body = data.partition(b"\r\n\r\n")
    size = -(-len(body) // pieces)
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    heard = asked_of_both(pair, "cpg", head + blank + parts[0], *parts[1:])
    assert statuses(heard) == [200, 200]
    assert sent == ([200] if pieces == 1 else [])


def test_a_body_that_is_asked_for_comes_afterwards(pair: Pair, sent: list[int]) -> None:
    data = tell(last(b"Expect: 100-continue"))(pair[0].cpg)
    head = data.removesuffix(ORDER.encode())
    heard = asked_of_both(pair, "cpg", head, data[len(head) :])
    assert heard.startswith(CONTINUE)
    assert statuses(heard.removeprefix(CONTINUE)) == [200, 200]
    assert sent == []


def test_a_request_may_be_cut_anywhere(pair: Pair, sent: list[int]) -> None:
    server = pair[0]
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
    head = data.index(b"\r\n\r\n") + 4  # a request whose head came first has to wait
    assert sent == [404, 200] * (head - 1) + [404] * (len(data) - head)


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
def test_requests_that_come_at_once_are_answered_in_order(
    pair: Pair, sent: list[int], number: int
) -> None:
    for server in pair:
        server.set_quirks({"cpg.replay": "off"})
        server.set_limits("off")
    asked = mixed(pair[0])
    single = [statuses(spoken(pair[0].url, data))[0] for data in asked]
    assert sorted(set(single)) == [200, 404, 405]
    for server in pair:
        server.reset()
        server.set_quirks({"cpg.replay": "off"})
        server.set_limits("off")
    many = [asked[n * 7 % len(asked)] for n in range(number)]
    heard = [talk_at_once(server.url, b"".join(many)) for server in pair]
    assert statuses(heard[0]) == [single[n * 7 % len(asked)] for n in range(number)] + [200]
    assert heard[0] == heard[1]
    assert journals(pair[0]) == journals(pair[1])
    assert sent


def test_reads_of_one_provider_at_once_all_go_the_direct_way(pair: Pair, sent: list[int]) -> None:
    asked = [example(pair[0].coinapi), unsigned(pair[0].coinapi), NOWHERE] * 20
    heard = talk_at_once(pair[0].coinapi.base_url, b"".join(asked))
    assert statuses(heard) == [200, 401, 404] * 20 + [200]
    assert sent == [200, 401, 404] * 20


GARBAGE = b"Good morning.\r\n\r\n"


def test_what_is_no_request_is_refused_behind_good_ones(pair: Pair) -> None:
    good = example(pair[0].coinapi)
    heard = talk_at_once(pair[0].coinapi.base_url, good * 3 + GARBAGE + good)
    assert statuses(heard) == [200, 200, 200, 400]
    assert heard.endswith(b"\r\nconnection: close\r\n\r\nInvalid HTTP request received.")
    assert len(entries(pair[0])) == 3


@pytest.mark.xfail(strict=True, reason="uvicorn's refusal overtakes the answers before it")
def test_what_is_no_request_is_refused_behind_good_ones_on_the_long_way(pair: Pair) -> None:
    good = example(pair[1].coinapi)
    heard = talk_at_once(pair[1].coinapi.base_url, good * 3 + GARBAGE)
    assert statuses(heard) == [200, 200, 200, 400]


def test_nothing_is_answered_behind_a_wish_to_close(pair: Pair) -> None:
    good = example(pair[0].coinapi)
    asked = good * 2 + at(good, last(b"Connection: close")) + good * 2
    heard = [talk_at_once(server.coinapi.base_url, asked) for server in pair]
    assert statuses(heard[0]) == [200] * 3
    assert heard[0] == heard[1]
    assert journals(pair[0]) == journals(pair[1])
    assert len(entries(pair[0])) == 3


@pytest.mark.parametrize("asked", [1, 3])
def test_who_has_nothing_more_to_say_still_hears(pair: Pair, asked: int) -> None:
    good = example(pair[0].coinapi)
    with dial(pair[0].coinapi.base_url) as connection:
        connection.sendall(good * asked)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(to_the_end(connection)) == [200] * asked


# Who does not listen

HELD_MAX = 256 * KIB  # bytes of answers that wait for whoever does not read them


def held(connection: Any) -> int:
    """Returns how many bytes of answers wait within the server."""
    below = connection.transport._transport
    return len(connection.transport._waiting) + below.get_write_buffer_size()


@pytest.fixture
def peak(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes of answers waited on a connection, whenever one more was made."""
    sizes: list[int] = []
    plain = Direct._send

    def send(self: Direct, response: Any) -> None:
        plain(self, response)
        sizes.append(len(self.transport._waiting))

    monkeypatch.setattr(Direct, "_send", send)
    return sizes


def test_answers_that_leave_together_are_not_collected_without_end(
    pair: Pair, peak: list[int]
) -> None:
    asked = example(pair[0].coinapi) * 1000
    assert statuses(talk_at_once(pair[0].coinapi.base_url, asked)) == [200] * 1001
    assert max(peak) < HELD_MAX


def test_who_never_listens_is_not_answered_without_end(pair: Pair, connections: list[Any]) -> None:
    server = pair[0]
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


def test_a_rule_and_a_skew_are_in_force_at_the_next_request(pair: Pair, sent: list[int]) -> None:
    server = pair[0]
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
    assert sent == [200] * 3


def test_a_delivery_and_the_direct_way_share_a_connection(pair: Pair, sent: list[int]) -> None:
    server = pair[0]
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
    assert sent == [200, 200]


def test_a_reset_of_one_sandbox_loses_no_answer_of_another(pair: Pair, sent: list[int]) -> None:
    server = pair[0]
    other = server.sandbox()
    other.coinapi.fail(deliver={"reset": "before"})
    first, second = example(server.coinapi), example(other.coinapi)
    with dial(server.coinapi.base_url) as connection:
        connection.sendall(first + second)
        assert statuses(to_the_end(connection)) == [200]
    assert sent == [200]
    server.drop(other)


# What goes wrong within


@pytest.fixture
def broken(pair: Pair) -> Iterator[MockServer]:
    """A server whose journal has a follower that cannot follow."""
    followers = pair[0].app.sandboxes.default.journal.followers

    def follow(entry: JournalEntry) -> None:
        if b"follow=no" in entry.target:
            raise RuntimeError("lost")

    followers.append(follow)
    yield pair[0]
    followers.remove(follow)


def test_an_error_of_ours_is_told_and_the_server_lives_on(
    broken: MockServer, sent: list[int], caplog: pytest.LogCaptureFixture
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
    assert sent == [200, 500, 200]


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


class Loop:
    """A loop of which one sees the timers that are set."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self.timers: list[Any] = []

    def call_later(self, *timer: Any) -> Any:
        self.timers.append(self._loop.call_later(*timer))
        return self.timers[-1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


def test_requests_that_come_at_once_leave_one_timer_behind(
    pair: Pair, connections: list[Any], sent: list[int]
) -> None:
    good = example(pair[0].coinapi)
    with dial(pair[0].coinapi.base_url) as connection:
        connection.sendall(good)
        hear(connection)
        connections[0].loop = loop = Loop(connections[0].loop)
        first = connections[0].timeout_keep_alive_task
        connection.sendall(good * 49 + HEALTH + good)
        size = 0
        while size < 51:
            size += at_least(connection, 1).count(b"HTTP/1.1 200 ")
        noticed(pair[0].url)
        assert first.cancelled()
        assert [timer for timer in loop.timers if not timer.cancelled()] == [
            connections[0].timeout_keep_alive_task
        ]
    assert len(sent) == 50


IN_USE = [
    ("half a body behind an answer", lambda handle: example(handle) + post(ORDER)(handle.auth)[:-1]),
    ("half a body", lambda handle: post(ORDER)(handle.auth)[:-1]),
    ("half a chunk", lambda handle: post(ORDER, chunked(7))(handle.auth)[:-9]),
]  # fmt: skip


@pytest.mark.parametrize("write", [row[1] for row in IN_USE], ids=[row[0] for row in IN_USE])
def test_no_timer_closes_a_connection_that_is_in_use(
    pair: Pair, connections: list[Any], write: Write
) -> None:
    with dial(pair[0].cpg.base_url) as connection:
        connection.sendall(write(pair[0].cpg))
        noticed(pair[0].url)
        assert connections[0].timeout_keep_alive_task is None


def test_an_idle_connection_closes_in_its_time(
    monkeypatch: pytest.MonkeyPatch, sent: list[int]
) -> None:
    monkeypatch.setattr(serving, "IDLE", 0.2)
    with MockServer() as server, dial(server.coinapi.base_url) as connection:
        for _ in range(2):
            began = time.monotonic()
            connection.sendall(example(server.coinapi))
            assert hear(connection).startswith(b"HTTP/1.1 200 ")
        assert connection.recv(1) == b""
        assert 0.19 < time.monotonic() - began < 30  # a hang fails
    assert sent == [200, 200]


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


def test_a_key_of_a_new_world_is_hidden_at_once(pair: Pair, sent: list[int]) -> None:
    server, secret = pair[0], "a-secret-of-tomorrow"
    sandbox, before = server.app.sandboxes.default, pair[0].app.sandboxes.default.world
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
    assert sent == [401, 401]
