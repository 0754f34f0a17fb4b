"""Requests over a raw socket: in pieces, many at once, by clients that do not read, and errors."""

# ruff: noqa: SLF001 - what waits shows within alone

import contextlib
import json
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
from contract_tests.support.raw_requests import KIB, MIB, chunked, instead, last, order, post
from contract_tests.support.rows import each
from contract_tests.support.sockets import (
    HEALTH,
    LOST,
    answers,
    converse,
    dateless,
    main_read,
    read_response,
    read_to_end,
    small_buffers,
    statuses,
    with_header,
)
from mockserver import HandClock, MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.engine.journal import JournalEntry
from mockserver.files import worlds
from mockserver.http import server as serving
from mockserver.http.connection import Connection
from mockserver.http.parsing import BODY
from mockserver.providers import discover

GOODBYE = with_header(HEALTH, b"Connection: close")

Edit = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    """A server for which time stands still."""
    with MockServer(real=HandClock()) as server:
        yield server


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The server's ends of the connections that are made from now on."""
    opened: list[Any] = []
    plain = Connection.connection_made

    def connection_made(self: Connection, transport: Any) -> None:
        plain(self, transport)
        opened.append(self)

    monkeypatch.setattr(Connection, "connection_made", connection_made)
    return opened


# Sending and hearing


def entries(server: MockServer) -> list[JournalEntry]:
    with server.app.sandboxes.default.lock:
        return list(server.app.sandboxes.default.journal.entries)


def noticed(url: str) -> None:
    """Returns when a server has read what was sent to it before, on whichever connection."""
    with dial(url) as connection:
        connection.sendall(GOODBYE)
        assert read_to_end(connection).startswith(b"HTTP/1.1 200 ")


def at(data: bytes, *edits: Edit) -> bytes:
    for edit in edits:
        data, before = edit(data), data
        assert data != before
    return data


# Every provider, good and refused


# Requests in pieces

ORDER = order()
ORDER_PATH = "/v1/withdrawals"
OFFERS = [
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    "Connection: Upgrade\r\nUpgrade: websocket",
    "Upgrade: h2c\r\nConnection: keep-alive, Upgrade",
]
Write = Callable[[ProviderHandle], bytes]


def trailer(line: bytes) -> Edit:
    """Puts a line behind the last chunk."""
    return lambda data: data.removesuffix(b"\r\n") + line + b"\r\n\r\n"


def written(*edits: Edit) -> Write:
    return lambda handle: post(ORDER, *edits)(handle.auth)


# Bodies, whole and in pieces


def test_a_request_may_be_cut_anywhere(server: MockServer) -> None:
    server.set_quirks({"cpg.replay": "off"})
    server.set_limits("off")
    server.cpg.set_balance("main", "USDT", venue="ETH", total="1000000")
    url, data = server.cpg.base_url, written(chunked(40), trailer(b"X-A: b"))(server.cpg)
    with dial(url) as connection, dial(url) as other:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in range(1, len(data)):
            connection.sendall(data[:cut])
            other.sendall(LOST)
            read_response(other)
            connection.sendall(data[cut:])
            assert read_response(connection).startswith(b"HTTP/1.1 200 "), data[:cut]
    good_entries = [entry for entry in entries(server) if not entry.reason]
    assert len(good_entries) == len(data) - 1
    assert {(entry.request_headers, entry.request_body) for entry in good_entries} == {
        (good_entries[0].request_headers, ORDER.encode())
    }


@pytest.mark.parametrize("framing", [[], [chunked(1000)]], ids=["length", "chunked"])
@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("cut", [0.5, -10], ids=str)
def test_a_declined_upgrade_loses_nothing_however_it_is_cut(
    server: MockServer, offer: str, framing: list[Edit], cut: float
) -> None:
    data = written(*framing, last(offer.encode()))(server.cpg)
    at = int(len(data) * cut) if isinstance(cut, float) else cut % len(data)
    with dial(server.cpg.base_url) as connection:
        for part in (data[:at], data[at:]):
            connection.sendall(part)
        (answer,) = answers(read_response(connection))
        assert json.loads(answer.body)["data"]["amount_decimal"] == "50.000000"
        path = ORDER_PATH + "/1"
        connection.sendall(wire(server.cpg.auth.sign("GET", path, b"", "127.0.0.1")))
        assert statuses(read_response(connection)) == [200], "the connection serves on"
    assert len(entries(server)) == 2


def test_a_large_body_is_no_large_head(server: MockServer) -> None:
    body = ORDER + " " * (MIB - len(ORDER))
    with dial(server.cpg.base_url) as connection:
        connection.sendall(post(body)(server.cpg.auth))
        assert statuses(read_response(connection)) == [200]


def test_a_client_that_leaves_half_way_changes_nothing(server: MockServer) -> None:
    with dial(server.cpg.base_url) as connection:
        connection.sendall(written()(server.cpg)[:-1])
    noticed(server.url)
    assert entries(server) == []
    assert str(server.cpg.balances()[0].held) == "200.000000"


# Many at once


def mixed(server: MockServer) -> list[bytes]:
    """Writes requests for the gateway's port: to providers, good and refused, and to its pages."""
    requests = [HEALTH]
    for name in discover():
        handle = getattr(server, name)
        good = main_read(handle)
        method, target, rest = good.split(b" ", 2)
        prefixed = b"/%b%b" % (name.encode(), target)
        requests += [b" ".join([verb, prefixed, rest]) for verb in (method, b"DELETE")]
        requests.append(get(f"/{name}/nowhere", {}))
    requests += [get("/__admin/health", {}), get("/cpg/~none/v1/balances", {}), get("/nobody", {})]
    return [*requests, requests[1].replace(b" /cdp/", b" /cdp/~default/", 1)]


def talk_at_once(url: str, data: bytes) -> bytes:
    """Sends all of it while it reads all that is answered."""
    with dial(url) as connection:
        sending = threading.Thread(target=swallowing(connection.sendall), args=[data + GOODBYE])
        sending.start()
        heard = read_to_end(connection)
        sending.join()
    return dateless(heard)


def swallowing(send: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Sends to a server that may have closed."""

    def sending(data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send(data)

    return sending


def test_requests_that_come_at_once_are_answered_in_order(server: MockServer) -> None:
    number = 2000
    server.set_quirks({"cpg.replay": "off"})
    server.set_limits("off")
    requests = mixed(server)
    single = [statuses(converse(server.url, data))[0] for data in requests]
    assert sorted(set(single)) == [200, 404, 405]
    server.reset()
    server.set_quirks({"cpg.replay": "off"})
    server.set_limits("off")
    many = [requests[n * 7 % len(requests)] for n in range(number)]
    heard = talk_at_once(server.url, b"".join(many))
    assert statuses(heard) == [single[n * 7 % len(requests)] for n in range(number)] + [200]


# Clients that do not read

HELD_MAX = 256 * KIB  # bytes of answers that wait for a client to read them


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


def test_answers_that_leave_together_are_bounded(server: MockServer, peak: list[int]) -> None:
    requests = main_read(server.coinapi) * 1000
    assert statuses(talk_at_once(server.coinapi.base_url, requests)) == [200] * 1001
    assert max(peak) < HELD_MAX


def test_answers_for_a_client_that_never_reads_are_bounded(
    server: MockServer, connections: list[Any]
) -> None:
    data = main_read(server.coinapi)
    many = data * (MIB // len(data))
    with small_buffers(server.coinapi.base_url) as connection:
        connection.sendall(data)
        read_response(connection)
        (slow,) = connections
        connection.setblocking(False)
        sent, looks = 0, 0
        while looks < 5:  # at which it took no more
            try:
                sent += connection.send(many[sent % len(data) :])
            except BlockingIOError:
                looks += 1
            noticed(server.url)
            assert held(slow) < HELD_MAX
            assert sent < 32 * MIB, "it goes on reading"
        answered = len(entries(server))
        connection.setblocking(True)
        rest = data[sent % len(data) :] if sent % len(data) else b""
        sending = threading.Thread(target=connection.sendall, args=[rest + GOODBYE])
        sending.start()
        heard = statuses(read_to_end(connection))
        sending.join()
    whole = (sent + len(rest)) // len(data)
    assert 1 < answered < whole
    assert heard == [200] * (whole + 1)


# What control changes between two requests


def test_a_rule_and_a_skew_are_in_force_at_the_next_request(server: MockServer) -> None:
    good = main_read(server.coinapi)
    with dial(server.coinapi.base_url) as connection:

        def ask() -> bytes:
            connection.sendall(good)
            return read_response(connection)

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


def test_a_reset_of_one_sandbox_loses_no_answer_of_another(server: MockServer) -> None:
    other = server.sandbox()
    other.coinapi.fail(deliver={"reset": "before"})
    first, second = main_read(server.coinapi), main_read(other.coinapi)
    with dial(server.coinapi.base_url) as connection:
        connection.sendall(first + second)
        assert statuses(read_to_end(connection)) == [200]
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


def test_an_internal_error_is_logged_and_the_server_serves_on(
    broken: MockServer, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = (main_read(broken.coinapi, f"follow={word}") for word in ("yes", "no"))
    with dial(broken.coinapi.base_url) as connection:
        connection.sendall(good + bad)
        heard = read_to_end(connection)
    assert statuses(heard) == [200, 500]
    assert b"\r\nconnection: close\r\n" in heard.rpartition(b"HTTP/1.1 500")[2]
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors] == ["internal error"]
    assert errors[0].exc_info
    assert str(errors[0].exc_info[1]) == "lost"
    assert statuses(converse(broken.coinapi.base_url, good)) == [200]


def test_no_request_behind_an_internal_error_is_processed(broken: MockServer) -> None:
    bad = main_read(broken.cpg, "follow=no")
    with dial(broken.cpg.base_url) as connection:
        connection.sendall(bad + written()(broken.cpg))
        assert statuses(read_to_end(connection)) == [500]
    noticed(broken.url)
    assert [entry.operation for entry in entries(broken)] == ["listBalances"]


def test_an_upgrade_behind_an_internal_error_does_not_hide_it(broken: MockServer) -> None:
    bad = main_read(broken.coinapi, "follow=no")
    offer = instead(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    with dial(broken.coinapi.base_url) as connection:
        connection.sendall(bad + offer(main_read(broken.coinapi)))
        assert statuses(read_to_end(connection)) == [500]


# When it ends


IN_USE = [
    ("half a body behind an answer", lambda handle: main_read(handle) + post(ORDER)(handle.auth)[:-1]),
    ("half a body", lambda handle: post(ORDER)(handle.auth)[:-1]),
    ("half a chunk", lambda handle: post(ORDER, chunked(7))(handle.auth)[:-9]),
]  # fmt: skip


@each("write", IN_USE)
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
            connection.sendall(main_read(server.coinapi))
            assert read_response(connection).startswith(b"HTTP/1.1 200 ")
        assert connection.recv(1) == b""
        assert 0.19 < time.monotonic() - began < 30  # a hang fails


def test_a_stop_waits_for_no_client_that_is_idle_or_half_way() -> None:
    with MockServer() as server, contextlib.ExitStack() as stack:
        good, order = main_read(server.cpg), post(ORDER)(server.cpg.auth)
        connections = []
        for before, data in [(good, b""), (b"", good[:9]), (b"", order[:-9]), (order, good[:-1])]:
            connection = stack.enter_context(dial(server.cpg.base_url))
            if before:
                connection.sendall(before)
                assert read_response(connection).startswith(b"HTTP/1.1 200 ")
            connection.sendall(data)
            connections.append(connection)
        noticed(server.url)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 30  # a hang fails
        assert [read_to_end(connection) for connection in connections] == [b""] * 4


def test_a_key_of_a_new_world_is_hidden_at_once(server: MockServer) -> None:
    secret = "a-secret-of-tomorrow"
    sandbox, before = server.app.sandboxes.default, server.app.sandboxes.default.world
    request = get(f"/v1/balances?n={secret}", {"X-Note": secret})
    url = urlsplit(server.coinapi.base_url).netloc
    data = worlds.data(worlds.find("default"))
    data["coinapi"]["keys"]["tomorrow"] = {"api_key": secret, "account": "main"}
    with dial(f"http://{url}") as connection:
        try:
            for world in (before, worlds.from_data(data, "tomorrow")):
                sandbox.load(world)
                connection.sendall(request)
                read_response(connection)
        finally:
            sandbox.load(before)
    seen = [secret.encode() in entry.target + entry.request_headers for entry in entries(server)]
    assert seen == [True, False]
