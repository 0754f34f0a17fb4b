"""How a delivery ends when the client leaves or reads slowly."""

import asyncio
import contextlib
import json
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract_tests.clients.senders import DEADLINE, dial
from contract_tests.support.delivery_sockets import (
    BALANCES,
    CLOSED,
    LATE,
    OPEN,
    abort,
    ask,
    held,
    listen,
    once,
    over,
    parts,
    reads,
    tasks,
)
from contract_tests.support.raw import get
from contract_tests.support.sockets import small_buffers
from mockserver import MockServer
from mockserver.files import worlds
from mockserver.http import delivery
from mockserver.http.delivery import Player

# How it ends when a client or the server leaves


def loop_of(server: MockServer) -> asyncio.AbstractEventLoop:
    """Returns the loop that serves; it responds to requests about small worlds itself."""
    loops: list[asyncio.AbstractEventLoop] = []
    small = server.sandbox(world="empty")
    followers = server.app.sandboxes.get(small.id).journal.followers
    followers.append(lambda entry: loops.append(asyncio.get_running_loop()))
    once(small.cpg, get(f"/~{small.id}/nowhere", {}))
    server.drop(small)
    return loops[0]


@contextlib.contextmanager
def leaving_no_task(server: MockServer) -> Iterator[None]:
    """Holds that the tasks which begin within end soon after."""
    loop = loop_of(server)
    before = asyncio.run_coroutine_threadsafe(tasks(), loop).result(DEADLINE)
    yield
    asyncio.run_coroutine_threadsafe(over(before), loop).result(DEADLINE)


HELD = [
    {"hang": "1h"},
    {"delay": "1h"},
    {"delay": "1h", "clock": "sandbox"},
    {"dribble": {"bytes": 1, "every": "1h"}},
    {"bandwidth": 1},
    {"slow_headers": "1h"},
]


@contextlib.contextmanager
def answering(server: MockServer, count: int) -> Iterator[threading.Event]:
    """Yields what is set as soon as so many more requests were understood and answered."""
    there = threading.Event()
    journal = server.app.sandboxes.default.journal
    last = journal.count + count
    journal.followers.append(lambda entry: entry.n == last and there.set())
    yield there
    journal.followers.pop()


@contextlib.contextmanager
def all_held(server: MockServer) -> Iterator[list[socket.socket]]:
    """Yields a connection for each delivery that takes for ever, every one asked."""
    server.clock.freeze()
    with contextlib.ExitStack() as stack:
        there = stack.enter_context(answering(server, len(HELD)))
        connections = []
        for n, deliver in enumerate(HELD):
            server.cpg.fail(query={"n": str(n)}, deliver=deliver)
            connections.append(stack.enter_context(dial(server.cpg.base_url)))
            connections[-1].sendall(*reads(server.cpg, n))
        assert there.wait(DEADLINE)
        yield connections


def test_a_client_that_leaves_ends_what_waits_for_it(server: MockServer) -> None:
    with leaving_no_task(server), all_held(server) as connections:
        held(connections[0])
        abort(*connections)
    assert server.app.sandboxes.default.waiting == set()


def test_a_client_that_sends_no_more_and_then_leaves_is_missed_too(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "POLL_MAX", 0.05)
    with leaving_no_task(server), all_held(server) as connections:
        for connection in connections:
            connection.shutdown(socket.SHUT_WR)
        assert connections[0].recv(1) == b"", "what only hangs ends at once"
        abort(*connections)
    assert server.app.sandboxes.default.waiting == set()


SHORT = [{"delay": "800ms"}, {"dribble": {"bytes": 1 << 20, "every": "800ms"}}]
IN_LINE = [*((given, 0.05) for given in HELD), *((given, delivery.POLL_MAX) for given in SHORT)]


@pytest.mark.parametrize(("deliver", "rest"), IN_LINE, ids=json.dumps)
def test_a_client_that_leaves_with_requests_in_line_is_missed_too(
    server: MockServer, monkeypatch: pytest.MonkeyPatch, deliver: dict[str, Any], rest: float
) -> None:
    monkeypatch.setattr(delivery, "POLL_MAX", rest)
    server.cpg.fail(query={"n": "2"}, deliver=deliver)
    with (
        leaving_no_task(server),
        dial(server.cpg.base_url) as connection,
        answering(server, 2) as there,
    ):
        connection.sendall(b"".join(reads(server.cpg, 1, 2, 3)))
        assert there.wait(DEADLINE)
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listen(connection, 1 << 20)
        abort(connection)
    assert server.app.sandboxes.default.waiting == set()
    assert [entry.target[-1] for entry in server.journal] == ["1", "2"]


def test_a_stop_ends_whatever_waits() -> None:
    server = MockServer()
    server.start()
    with all_held(server) as connections:
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < LATE
        heard = [listen(connection, 1 << 20) for connection in connections]
    assert all(end != OPEN for _, end in heard)
    assert all(len(data) < 200 for data, _ in heard)


CROWD = 400
FILES = 2 * CROWD + 500  # both ends are ours


@pytest.fixture
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        pytest.skip(f"{FILES} open files are needed, {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def threads() -> int:
    """Counts those of Python, and those of the system where it can be asked."""
    native = Path("/proc/self/task")
    return threading.active_count() + (len(list(native.iterdir())) if native.exists() else 0)


@contextlib.contextmanager
def crowd(server: MockServer, data: bytes) -> Iterator[None]:
    """Holds open so many connections, each of which has asked and has been understood."""
    with contextlib.ExitStack() as stack:
        there = stack.enter_context(answering(server, CROWD))
        for _ in range(CROWD):
            connection = stack.enter_context(dial(server.coinapi.base_url))
            connection.sendall(data)
        assert there.wait(DEADLINE)
        yield


@pytest.mark.usefixtures("_many_files")
def test_four_hundred_that_hang_cost_no_thread_and_delay_no_other(server: MockServer) -> None:
    server.coinapi.fail(header={"X-Hang": "yes"}, deliver={"hang": "1h"})
    hanging = ask(server.coinapi, BALANCES, "GET", b"", (b"X-Hang", b"yes"))
    data = ask(server.coinapi)
    plain = once(server.coinapi, data)
    with leaving_no_task(server):
        before = threads()
        with crowd(server, hanging):
            assert threads() == before
            began = time.monotonic()
            assert [once(server.coinapi, data) for _ in range(20)] == [plain] * 20
            assert time.monotonic() - began < LATE


# Large answers


@pytest.fixture(scope="module")
def whale() -> Iterator[MockServer]:
    """A server whose cpg account has 100,000 rows: an answer of thirteen million bytes.

    Only this section of the world is loaded: all five take some seconds.
    """
    section = worlds.data(worlds.find("whale"))["cpg"]
    with MockServer(worlds.from_data({"cpg": section}, "whale"), limits="off") as server:
        yield server


LARGE = [
    ({"dribble": {"bytes": 1 << 20, "every": "0s"}}, 1),
    ({"bandwidth": 1 << 30}, 1),
    ({"cut": 0.75}, 0.75),
]

MEMORY = 80 << 20  # bytes: what an answer of 13 million may take in total


def resident() -> int:
    """Returns how many bytes of memory this process has in use."""
    return int(Path("/proc/self/statm").read_text("utf-8").split()[1]) * resource.getpagesize()


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes deliveries have handed to the connection, time after time."""
    sizes: list[int] = []
    plain = Player.send

    async def send(player: Player, data: bytes) -> None:
        sizes.append(len(data))
        await plain(player, data)

    monkeypatch.setattr(Player, "send", send)
    return sizes


@pytest.mark.parametrize(("deliver", "part"), LARGE, ids=str)
def test_a_large_response_waits_for_its_reader_and_delays_no_other(
    whale: MockServer, handed: list[int], deliver: dict[str, Any], part: float
) -> None:
    whale.reset()
    whale.cpg.fail(operation="balances", deliver=deliver)
    with leaving_no_task(whale), small_buffers(whale.cpg.base_url) as connection:
        connection.sendall(ask(whale.cpg))
        begun = connection.recv(4096)
        began = time.monotonic()
        small = [once(whale.cpg, get("/nowhere", {})) for _ in range(20)]
        assert time.monotonic() - began < LATE
        assert [answer[9:12] for answer in small] == [b"404"] * 20
        _, head, body = parts(begun)
        size = int(int(re.search(rb"content-length: ([0-9]+)", head)[1]) * part)
        assert (sum(handed) < size) is ("dribble" in deliver)  # the others hand over all at once
        heard = listen(connection, size - len(body) + (part < 1))
        assert (len(body + heard.data), heard.end) == (size, OPEN if part == 1 else CLOSED)
        assert sum(handed) == len(head) + size + sum(map(len, small))


def test_a_reader_that_leaves_a_large_answer_in_tiny_pieces_leaves_nothing_behind(
    whale: MockServer,
) -> None:
    whale.reset()
    whale.cpg.fail(operation="balances", deliver={"dribble": {"bytes": 1, "every": "0s"}})
    with leaving_no_task(whale), small_buffers(whale.cpg.base_url) as connection:
        before = resident()
        connection.sendall(ask(whale.cpg))
        connection.recv(4096)
        assert resident() - before < MEMORY


def test_a_client_may_leave_before_its_delivery_begins(whale: MockServer) -> None:
    whale.reset()
    whale.cpg.fail(path="/elsewhere", deliver={"cut": 0.5})
    with (
        leaving_no_task(whale),
        dial(whale.cpg.base_url) as connection,
        answering(whale, 1) as there,
    ):
        connection.sendall(ask(whale.cpg) + get("/elsewhere", {}))
        assert there.wait(DEADLINE)
    assert [entry.status for entry in whale.journal] == [200], "it waits for its reader"
