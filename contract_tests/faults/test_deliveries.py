"""Deliveries on a real socket: which bytes come, when, how it ends, and whom it leaves alone."""

import asyncio
import contextlib
import http.client
import json
import logging
import math
import re
import resource
import socket
import statistics
import struct
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from contract_tests.clients.senders import DEADLINE, dial, typed
from contract_tests.support.raw import get, wire
from contract_tests.support.sockets import CONTINUE, dateless, small_buffers
from mockserver import HandClock, MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.client.remote import RemoteServer
from mockserver.engine.pipeline import NO_SOCKET
from mockserver.faults import kinds
from mockserver.faults.chance import Chance
from mockserver.faults.deliveries import PIECES_PER_SECOND as TICKS
from mockserver.faults.parameters import HOUR
from mockserver.faults.plan import Delivery, delivery_script
from mockserver.faults.rules import Fault
from mockserver.faults.script import PIECES_MAX, STEPS_MAX, Script, SendStep, WaitStep, pieces
from mockserver.files import worlds
from mockserver.http import delivery
from mockserver.http.delivery import Pause, Player
from mockserver.model.times import MILLISECOND

OPEN, CLOSED, RESET = "open", "closed", "reset"
RULE = "mutate"
BLANK = b"\r\n\r\n"
BALANCES = "/v1/balances"
WITHDRAWALS = "/v1/withdrawals"
ORDER = b'{"currency":"USDT","network":"ETH","to_address":"0xrecipient0","amount":"50.00"}'


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Holds that no delivery looks like a mistake of the server's on anybody's screen."""
    yield
    records = caplog.get_records("call")
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []


# Asking and listening


def ask(
    handle: ProviderHandle,
    target: str = BALANCES,
    method: str = "GET",
    body: bytes = b"",
    *extra: tuple[bytes, bytes],
) -> bytes:
    """Writes a signed request; what stands before the provider's path is not signed."""
    draft = handle.auth.sign(method, target, body, "127.0.0.1", typed(body))
    before = urlsplit(handle.base_url).path.encode()
    return wire(replace(draft, path=before + draft.path, headers=(*draft.headers, *extra)))


def reads(handle: ProviderHandle, *numbers: int) -> list[bytes]:
    """Writes reads that differ in a number, by which a rule can mean one of them."""
    return [ask(handle, f"{BALANCES}?n={n}") for n in numbers]


class Heard(NamedTuple):
    """What was received, and how that ended."""

    data: bytes
    end: str


def listen(connection: socket.socket, size: int) -> Heard:
    """Reads so many bytes, or to the end."""
    received = bytearray()
    try:
        while len(received) < size:
            part = connection.recv(min(size - len(received), 1 << 20))
            if not part:
                return Heard(bytes(received), CLOSED)
            received += part
    except ConnectionResetError:
        return Heard(bytes(received), RESET)
    return Heard(bytes(received), OPEN)


def whole(connection: socket.socket) -> bytes:
    """Reads one answer that nothing is wrong with."""
    received = b""
    while not _complete(received):
        part = connection.recv(1 << 20)
        assert part, received
        received += part
    return received


def _complete(received: bytes) -> bool:
    _, head, body = parts(received)
    length = re.search(rb"content-length: ([0-9]+)", head)
    return bool(length) and len(body) >= int(length[1])


def parts(answer: bytes) -> tuple[bytes, bytes, bytes]:
    """Returns what comes before the final answer, its head with the blank line, and its body."""
    before = CONTINUE if answer.startswith(CONTINUE) else b""
    head, blank, body = answer[len(before) :].partition(BLANK)
    return before, head + blank, body


def once(handle: ProviderHandle, data: bytes) -> bytes:
    """Sends a request on a connection of its own; returns the answer, which is whole."""
    with dial(handle.base_url) as connection:
        connection.sendall(data)
        return dateless(whole(connection))


# What each delivery sends


class Row(NamedTuple):
    """A delivery: as a rule says it, as the journal says it, what it sends, and the end."""

    given: dict[str, Any]
    said: str
    sent: Callable[[bytes, bytes], bytes]
    end: str


def announced(off: int) -> Callable[[bytes, bytes], bytes]:
    """Makes what is sent when the announced length is off by so many bytes."""
    return lambda head, body: (
        head.replace(b"length: %d" % len(body), b"length: %d" % max(len(body) + off, 0)) + body
    )


def chunked(head: bytes, body: bytes) -> bytes:
    head = re.sub(rb"content-length: [0-9]+", b"transfer-encoding: chunked", head)
    half = len(body) // 2
    return head + b"%x\r\n%b\r\nzz\r\n%b\r\n" % (half, body[:half], body[half:])


def noise(size: int) -> bytes:
    """Returns the noise of the first time that the rule fires under the default seed."""
    return b"\0" + Chance(490, RULE, 1).noise(size, "garbage")[1:]


def all_of_it(head: bytes, body: bytes) -> bytes:
    return head + body


def nothing(head: bytes, body: bytes) -> bytes:
    return b""


ROWS = [
    Row({"bandwidth": 100_000}, "bandwidth: 100000", all_of_it, OPEN),
    Row({"close": True}, "close: true", nothing, CLOSED),
    Row({"cut": 0.5}, "cut: 0.5", lambda head, body: head + body[: len(body) // 2], CLOSED),
    Row({"cut": 0}, "cut: 0", lambda head, body: head, CLOSED),
    Row({"delay": "5ms"}, 'delay: "5ms"', all_of_it, OPEN),
    Row({"dribble": {"bytes": 300, "every": "1ms"}}, 'dribble: {"bytes":300,"every":"1ms"}', all_of_it, OPEN),
    Row({"garbage": 1}, "garbage: 1", lambda head, body: b"\0", CLOSED),
    Row({"garbage": 3000}, "garbage: 3000", lambda head, body: noise(3000), CLOSED),
    Row({"hang": "5ms"}, 'hang: "5ms"', nothing, CLOSED),
    Row({"malformed_chunk": True}, "malformed_chunk: true", chunked, CLOSED),
    Row({"reset": "before"}, 'reset: "before"', nothing, RESET),
    Row({"reset": "body"}, 'reset: "body"', lambda head, body: head + body[: len(body) // 2], RESET),
    Row({"slow_headers": "5ms"}, 'slow_headers: "5ms"', all_of_it, OPEN),
    Row({"wrong_length": 7}, "wrong_length: 7", announced(+7), CLOSED),
    Row({"wrong_length": "-7"}, 'wrong_length: "-7"', announced(-7), CLOSED),
]  # fmt: skip

each_row = pytest.mark.parametrize("row", ROWS, ids=[row.said for row in ROWS])


def test_no_delivery_is_left_out() -> None:
    assert {name for row in ROWS for name in row.given} == set(kinds.kinds(kinds.DELIVERIES))


CLOSING = "a wish to close"
OLD = "HTTP/1.0"
ASKS: dict[str, Callable[[ProviderHandle], bytes]] = {
    "a read": ask,
    CLOSING: lambda handle: ask(handle, BALANCES, "GET", b"", (b"Connection", b"close")),
    OLD: lambda handle: ask(handle).replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1),
    "a body": lambda handle: ask(handle, WITHDRAWALS, "POST", ORDER),
    "a body that waits to be asked for": lambda handle: ask(
        handle, WITHDRAWALS, "POST", ORDER, (b"Expect", b"100-continue")
    ),
    "a refusal": lambda handle: get(urlsplit(handle.base_url).path + BALANCES, {}),
}


@pytest.fixture(scope="module")
def timeless() -> Iterator[MockServer]:
    """A server for which time stands still, so that answers repeat."""
    with MockServer(real=HandClock()) as server:
        yield server


@pytest.fixture
def served(timeless: MockServer) -> MockServer:
    timeless.reset()
    return timeless


@pytest.mark.parametrize(
    ("row", "asked"),
    [*((row, "a read") for row in ROWS), *((row, name) for row in ROWS[::5] for name in ASKS)],
    ids=str,
)
def test_a_delivery_sends_exactly_what_it_says(served: MockServer, row: Row, asked: str) -> None:
    data = ASKS[asked](served.cpg)
    before, head, body = parts(once(served.cpg, data))
    served.reset()
    served.cpg.fail(RULE, deliver=row.given)
    expected = before + row.sent(head, body)
    end = CLOSED if row.end == OPEN and asked in (CLOSING, OLD) else row.end
    with dial(served.cpg.base_url) as connection:
        connection.sendall(data)
        heard = listen(connection, len(expected) + (end != OPEN))
    assert (dateless(heard.data), heard.end) == (expected, end)
    (entry,) = served.journal
    assert (entry.fault, entry.delivery, entry.reason != "") == (
        RULE,
        row.said,
        asked == "a refusal",
    )


# The same on bodies small enough to be looked at

HEAD = b"HTTP/1.1 418 I'm a Teapot\r\ndate: %b\r\ncontent-length: %%d\r\n\r\n" % (b"-" * 29)
TEN = "0123456789"
CHUNKS = HEAD.replace(b"content-length: %d", b"transfer-encoding: chunked")

SMALL = [
    ("cut", 0.1, TEN, HEAD % 10 + b"0"),
    ("cut", 0.99, TEN, HEAD % 10 + b"012345678"),
    ("cut", 0.5, "", HEAD % 0),
    ("wrong_length", "+1", TEN, HEAD % 11 + b"0123456789"),
    ("wrong_length", "-1", TEN, HEAD % 9 + b"0123456789"),
    ("wrong_length", -11, TEN, HEAD % 0 + b"0123456789"),
    ("malformed_chunk", True, TEN, CHUNKS + b"5\r\n01234\r\nzz\r\n56789\r\n"),
    ("malformed_chunk", True, "", HEAD % 0),
]


@pytest.mark.parametrize(("name", "given", "body", "sent"), SMALL, ids=str)
def test_a_small_body_is_delivered_to_the_byte(
    server: MockServer, name: str, given: Any, body: str, sent: bytes
) -> None:
    server.cpg.fail(RULE, status=418, body=body, deliver={name: given})
    with dial(server.cpg.base_url) as connection:
        connection.sendall(ask(server.cpg))
        heard = listen(connection, len(sent) + 1)
    assert (dateless(heard.data), heard.end) == (sent, CLOSED)


BODILESS = [
    (b"HEAD", {"status": 418, "body": TEN}, HEAD % 10),
    (b"GET", {"status": 304}, None),
    (b"GET", {"status": 204}, None),
]


@pytest.mark.parametrize(("method", "answer", "sent"), BODILESS, ids=str)
def test_where_no_body_follows_no_chunk_does(
    served: MockServer, method: bytes, answer: dict[str, Any], sent: bytes | None
) -> None:
    served.cpg.fail("raw", **answer)
    data = ask(served.cpg).replace(b"GET ", method + b" ", 1)
    with dial(served.cpg.base_url) as connection:
        connection.sendall(data)
        whole_head = b""
        while not whole_head.endswith(BLANK):
            whole_head += connection.recv(1)
    served.cpg.fail(RULE, deliver={"malformed_chunk": True})
    with dial(served.cpg.base_url) as connection:
        connection.sendall(data)
        heard = listen(connection, 1 << 20)
    assert heard.end == CLOSED
    assert dateless(heard.data) == dateless(whole_head)
    assert b"chunked" not in heard.data
    assert sent is None or b"content-length: 10\r\n" in heard.data.lower()


def test_a_malformed_chunk_is_refused_behind_the_first(server: MockServer) -> None:
    server.cpg.fail(status=418, body=TEN, deliver={"malformed_chunk": True})
    with dial(server.cpg.base_url) as connection:
        connection.sendall(ask(server.cpg))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        with pytest.raises(http.client.IncompleteRead) as caught:
            answer.read()
        answer.close()
    assert caught.value.partial == b"01234"


def test_garbage_is_no_http_and_hangs_on_the_seed(server: MockServer) -> None:
    noises = []
    for sandbox in (server, server.sandbox(seed=490), server.sandbox(seed=491)):
        sandbox.cpg.fail(RULE, deliver={"garbage": 64})
        with dial(sandbox.cpg.base_url) as connection:
            connection.sendall(ask(sandbox.cpg))
            noises.append(listen(connection, 65).data)
    assert [len(data) for data in noises] == [64] * 3
    assert noises[0] == noises[1] != noises[2]
    assert all(data[:1] == b"\0" and len(set(data)) > 32 for data in noises)


COMBINED = [
    ([{"cut": 0.5, "wrong_length": 1}], HEAD % 11 + b"01234", CLOSED),
    ([{"dribble": {"bytes": 3, "every": 0}}, {"cut": 0.5}], HEAD % 10 + b"01234", CLOSED),
    ([{"slow_headers": 0}, {"bandwidth": 10**6, "reset": "body"}], HEAD % 10 + b"01234", RESET),
    ([{"delay": 0}, {"close": True}], b"", CLOSED),
    ([{"close": True}, {"reset": "before"}], b"", RESET),
    ([{"cut": 0.5}, {"cut": 0.4}], HEAD % 10 + b"01", CLOSED),
    ([{"dribble": {"bytes": 3, "every": 0}, "delay": 0, "slow_headers": 0}], HEAD % 10 + b"0123456789", OPEN),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "sent", "end"), COMBINED, ids=str)
def test_deliveries_work_on_what_those_before_left_and_the_slow_ones_come_last(
    server: MockServer, rules: list[dict[str, Any]], sent: bytes, end: str
) -> None:
    server.cpg.fail("raw", status=418, body=TEN)
    for n, given in enumerate(rules):
        server.cpg.fail(f"rule{n}", deliver=given)
    with dial(server.cpg.base_url) as connection:
        connection.sendall(ask(server.cpg))
        heard = listen(connection, len(sent) + (end != OPEN))
    assert (dateless(heard.data), heard.end) == (sent, end)
    assert server.journal[-1].fault == ", ".join(["raw", *(f"rule{n}" for n in range(len(rules)))])


# Whom it leaves alone


@each_row
def test_a_delivery_changes_no_other_response_on_its_connection(
    served: MockServer, row: Row
) -> None:
    served.cpg.fail(RULE, query={"n": "2"}, deliver=row.given)
    first, second, third = reads(served.cpg, 1, 2, 3)
    plain = once(served.cpg, ask(served.cpg))
    expected = row.sent(*parts(plain)[1:])
    with dial(served.cpg.base_url) as connection:
        connection.sendall(first)
        assert dateless(whole(connection)) == plain
        connection.sendall(second)
        heard = listen(connection, len(expected) + (row.end != OPEN))
        assert (dateless(heard.data), heard.end) == (expected, row.end)
        if row.end == OPEN:
            connection.sendall(third)
            assert dateless(whole(connection)) == plain


@each_row
def test_a_delivery_among_three_requests_sent_at_once_changes_that_response_alone(
    served: MockServer, row: Row
) -> None:
    served.cpg.fail(RULE, query={"n": "2"}, deliver=row.given)
    plain = once(served.cpg, ask(served.cpg))
    expected = plain + row.sent(*parts(plain)[1:])
    expected += plain if row.end == OPEN else b""
    with dial(served.cpg.base_url) as connection:
        connection.sendall(b"".join(reads(served.cpg, 1, 2, 3)))
        heard = listen(connection, len(expected) + (row.end != OPEN))
        assert (dateless(heard.data), heard.end) == (expected, row.end)
    asked = [entry.target for entry in served.journal[1:]]
    assert [target[-1] for target in asked] == ["1", "2", "3"][: 3 if row.end == OPEN else 2]


def test_of_two_connections_only_the_matching_one_hangs(served: MockServer) -> None:
    served.cpg.fail(query={"n": "1"}, deliver={"hang": "1h"})
    plain = once(served.cpg, ask(served.cpg))
    mutate, *others = reads(served.cpg, *range(1, 6))
    with dial(served.cpg.base_url) as held, dial(served.cpg.base_url) as free:
        for n, data in enumerate(others):
            free.sendall(data)
            assert dateless(whole(free)) == plain
            if n == 1:
                held.sendall(mutate)
        held.settimeout(0.1)
        with pytest.raises(TimeoutError):
            held.recv(1)


# The effect is kept, whatever becomes of the answer


@each_row
def test_a_withdrawal_whose_answer_is_lost_is_made(server: MockServer, row: Row) -> None:
    server.cpg.fail(RULE, operation="submitWithdrawal", requests=1, deliver=row.given)
    with dial(server.cpg.base_url) as connection:
        connection.sendall(ask(server.cpg, WITHDRAWALS, "POST", ORDER))
        listen(connection, 1 << 20 if row.end != OPEN else 100)
    seen = json.loads(parts(once(server.cpg, ask(server.cpg, WITHDRAWALS + "/1")))[2])["data"]
    assert (seen["id"], seen["amount"], seen["status"]) == (1, "50.000000", "broadcasted")
    assert server.cpg.balances()[0].held == Decimal("200") + Decimal("51.5")
    assert [entry.status for entry in server.journal] == [200, 200]


# When it comes


class Pace(NamedTuple):
    """A delivery in time: how many bytes may be there after so many seconds, and when all are."""

    given: dict[str, Any]
    allowed: Callable[[float, int], float]  # seconds, bytes of the head
    least: Callable[[int, int], float]  # bytes of the head, bytes of the answer
    pieces: int


EVER = math.inf
PACES = [
    Pace({"delay": "80ms"}, lambda t, head: 0 if t < 0.08 else EVER, lambda head, size: 0.08, 1),
    Pace({"dribble": {"bytes": 100, "every": "60ms"}},
         lambda t, head: head + 100 * (1 + t // 0.06), lambda head, size: 0.06 * ((size - head - 1) // 100), 3),
    Pace({"bandwidth": 2000}, lambda t, head: 100 + 2000 * t, lambda head, size: (size - 1) // 100 * 0.05, 3),
    Pace({"slow_headers": "300ms"},
         lambda t, head: t // (0.3 / head) if t < 0.2999 else EVER, lambda head, size: 0.2999, 3),
    Pace({"dribble": {"bytes": 200, "every": "60ms"}, "delay": "80ms", "cut": 0.9},
         lambda t, head: 0 if t < 0.08 else head + 200 * (1 + (t - 0.08) // 0.06), lambda head, size: 0.08 + 0.06 * 2, 2),
    Pace({"hang": "80ms"}, lambda t, head: 0, lambda head, size: 0.08, 0),
]  # fmt: skip
LATE = 30  # seconds, so that a hang fails; no load makes what comes come too early


@pytest.mark.parametrize("pace", PACES, ids=[json.dumps(pace.given) for pace in PACES])
def test_no_byte_comes_before_its_time_and_all_come(server: MockServer, pace: Pace) -> None:
    _, head, body = parts(once(server.cpg, ask(server.cpg)))
    server.cpg.fail(RULE, deliver=pace.given)
    size = int(len(body) * pace.given["cut"]) if "cut" in pace.given else len(body)
    size = 0 if "hang" in pace.given else len(head) + size
    arrivals, seconds = paced(server.cpg, ask(server.cpg, f"{BALANCES}?n=1"), size)
    assert [had for t, had in arrivals if had > pace.allowed(t, len(head))] == []
    assert (arrivals[-1][1] if arrivals else 0) == size
    assert pace.least(len(head), len(head) + len(body)) <= seconds < LATE
    assert len(arrivals) >= pace.pieces


def paced(handle: ProviderHandle, data: bytes, size: int) -> tuple[list[tuple[float, int]], float]:
    """Asks; returns how many bytes there were when, and after how many seconds it was over."""
    arrivals: list[tuple[float, int]] = []
    had, over = 0, False
    with dial(handle.base_url) as connection:
        began = time.monotonic()
        connection.sendall(data)
        while not over and (had < size or not size):
            had += len(part := connection.recv(1 << 20))
            passed = time.monotonic() - began
            over = not part
            arrivals += [] if over else [(passed, had)]
    return arrivals, passed


def waits(delivery: str, given: Any, count: int, seed: int = 490) -> list[int]:
    """Returns how long the first so many delays of a rule last, in nanoseconds."""
    kind = kinds.find(kinds.DELIVERIES, delivery)
    drawn = kind.parse(given)
    scripts = [kind.apply([], drawn, Chance(seed, RULE, n + 1)) for n in range(count)]
    return [
        step.duration
        for delivery_script in scripts
        for step in delivery_script
        if isinstance(step, WaitStep)
    ]


UNIFORM = {"uniform": ["200ms", "1s"]}
LOGNORMAL = {"lognormal": {"median": "250ms", "sigma": 0.5}}
DRAWS = 4000


def test_a_uniform_delay_lies_within_its_ends_and_fills_them() -> None:
    drawn = waits("delay", UNIFORM, DRAWS)
    assert min(drawn) >= 200 * MILLISECOND
    assert max(drawn) < 1000 * MILLISECOND
    assert [
        sum(d // (200 * MILLISECOND) == n for d in drawn) for n in range(1, 5)
    ] == pytest.approx([DRAWS / 4] * 4, rel=0.1)
    assert waits("delay", {"uniform": ["7ms", "7ms"]}, 3) == [7 * MILLISECOND] * 3


def test_a_lognormal_delay_has_its_median_and_its_spread() -> None:
    logs = [math.log(d / MILLISECOND) for d in waits("delay", LOGNORMAL, DRAWS)]
    assert math.exp(statistics.median(logs)) == pytest.approx(250, rel=0.03)
    assert statistics.stdev(logs) == pytest.approx(0.5, rel=0.05)
    below = sum(entry < math.log(250) - 0.5 for entry in logs) / DRAWS
    assert below == pytest.approx(0.1587, abs=0.02)  # one sigma below, of a normal distribution


def test_a_lognormal_delay_ends_at_an_hour_and_may_have_no_spread() -> None:
    long = waits("delay", {"lognormal": {"median": "1h", "sigma": 5}}, 200)
    assert max(long) == HOUR
    assert 50 < sum(d == HOUR for d in long) < 150
    assert (
        waits("delay", {"lognormal": {"median": "3s", "sigma": 0}}, 3) == [3000 * MILLISECOND] * 3
    )


@pytest.mark.parametrize("given", [UNIFORM, LOGNORMAL], ids=json.dumps)
def test_drawn_delays_repeat_for_a_seed(given: Any) -> None:
    drawn = waits("delay", given, 20)
    assert waits("delay", given, 20) == drawn
    assert len(set(drawn)) == 20
    assert not set(waits("delay", given, 20, seed=491)) & set(drawn)


def test_a_timer_that_is_early_makes_no_delay_shorter(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Pause.sleep
    monkeypatch.setattr(Pause, "sleep", lambda pause, seconds: plain(pause, seconds * 0.6))
    server.cpg.fail(deliver={"delay": "50ms"})
    arrivals, _ = paced(server.cpg, ask(server.cpg), 1)
    assert 0.05 <= arrivals[0][0] < LATE


def test_a_head_is_on_its_way_before_its_body(
    server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, head, _ = parts(once(server.cpg, ask(server.cpg)))
    server.cpg.fail(deliver={"bandwidth": len(head) * TICKS})
    monkeypatch.setattr(delivery, "SECOND", delivery.SECOND // 100)  # a second takes a hundred
    with dial(server.cpg.base_url) as connection:
        connection.sendall(ask(server.cpg, f"{BALANCES}?n=1"))
        connection.settimeout(DEADLINE)
        assert dateless(listen(connection, len(head)).data) == head
        held(connection)
        abort(connection)


def test_beyond_a_bound_on_pieces_they_are_larger() -> None:
    assert [len(p) for p in pieces(b"x" * 10, 3)] == [3, 3, 3, 1]
    assert len(pieces(b"x" * PIECES_MAX, 1)) == PIECES_MAX
    assert [len(p) for p in pieces(b"x" * (PIECES_MAX + 1), 1)][-2:] == [2, 1]
    assert pieces(b"", 5) == []


def scripted(*rules: dict[str, Any], head: int = 130, body: int = 1000) -> Script:
    """Returns the script of an answer of so many bytes, delivered in all these ways."""
    found = []
    for given in rules:
        for name, value in given.items():
            kind = kinds.find(kinds.DELIVERIES, name)
            fault = Fault(kind, kind.parse(value), "")
            found.append(Delivery(fault, Chance(490, RULE, 1), sandbox_clock=False))
    return delivery_script(found, b"h" * head, b"b" * body)


def passed(steps: Script) -> float:
    """Returns the milliseconds that a script waits."""
    return sum(step.duration for step in steps if isinstance(step, WaitStep)) / MILLISECOND


def said(steps: Script) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, SendStep))


def byte_by_byte(every: Any) -> dict[str, Any]:
    return {"dribble": {"bytes": 1, "every": every}}


HUGE = 1_000_000
MULTIPLIED = [
    [byte_by_byte(0)],
    [byte_by_byte("1h")] * 3,
    [{"dribble": {"bytes": 1 << (10 - n), "every": 0}} for n in range(11)],
    [byte_by_byte(0), {"bandwidth": 1}, {"slow_headers": "1h"}],
]


@pytest.mark.parametrize("rules", MULTIPLIED, ids=json.dumps)
def test_a_script_has_a_bounded_number_of_steps_whatever_is_combined(
    rules: list[dict[str, Any]],
) -> None:
    assert STEPS_MAX == 100_000
    steps = scripted(*rules, body=HUGE)
    assert STEPS_MAX * 0.5 < len(steps) <= STEPS_MAX + 2
    assert said(steps) == b"h" * 130 + b"b" * HUGE


def test_a_small_answer_is_cut_as_it_is_said_by_each_of_them() -> None:
    steps = scripted({"dribble": {"bytes": 4, "every": "1s"}}, {"dribble": {"bytes": 3, "every": "5s"}}, body=8)  # fmt: skip
    sizes = [len(step.data) for step in steps if isinstance(step, SendStep) and not step.head]
    assert (sizes, passed(steps)) == ([3, 1, 3, 1], 22_000)


HEADS = [
    ("20ms", 130, 19),  # of 7 bytes, as a byte's share is less than a millisecond
    ("130ms", 130, 130),
    ("300ms", 130, 130),
    ("0s", 130, 1),
]


@pytest.mark.parametrize(("duration", "head", "count"), HEADS)
def test_a_slow_head_takes_its_time_in_waits_of_a_millisecond_or_more(
    duration: str, head: int, count: int
) -> None:
    steps = scripted({"slow_headers": duration}, head=head)
    sent = [len(step.data) for step in steps if isinstance(step, SendStep) and step.head]
    waited = [step.duration for step in steps if isinstance(step, WaitStep)]
    assert (sum(sent), len(sent), len(waited)) == (head, count, count)
    assert passed(steps) == pytest.approx(float(duration.rstrip("ms")), abs=0.001)
    assert all(wait >= MILLISECOND for wait in waited[:-1])


SLOW = {"slow_headers": "300ms"}
ORDERS: list[tuple[list[dict[str, Any]], float]] = [
    ([SLOW, SLOW], 600),
    ([SLOW, {"bandwidth": 1130}], 1300),
    ([SLOW, {"dribble": {"bytes": 100, "every": "10ms"}}], 400),
    ([{"slow_headers": "20ms"}, {"bandwidth": 11300}, {"slow_headers": "50ms"}], 170),
]


@pytest.mark.parametrize(("rules", "expected"), ORDERS, ids=str)
def test_what_slow_things_take_adds_up_in_either_order(
    rules: list[dict[str, Any]], expected: float
) -> None:
    for order in (rules, rules[::-1]):
        steps = scripted(*order)
        assert passed(steps) == pytest.approx(expected, abs=0.01)
        assert said(steps) == b"h" * 130 + b"b" * 1000
        waits = [isinstance(step, WaitStep) for step in steps]
        assert not any(one and next for one, next in pairwise(waits)), "no wait is in two parts"


# On the sandbox clock


def held(connection: socket.socket) -> None:
    """Holds that nothing comes, for longer than an answer takes."""
    connection.settimeout(0.15)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    connection.settimeout(DEADLINE)


@pytest.fixture
def frozen(server: MockServer) -> MockServer:
    """A server whose sandbox clock stands still, with a delay of five minutes on that clock."""
    server.clock.freeze()
    server.cpg.fail(RULE, deliver={"delay": "5m", "clock": "sandbox"})
    return server


class Noticed(set[Any]):
    """A set that tells when something comes into it."""

    def __init__(self) -> None:
        super().__init__()
        self.there = threading.Event()

    def add(self, item: Any) -> None:
        super().add(item)
        self.there.set()


@contextlib.contextmanager
def waiting(server: MockServer) -> Iterator[socket.socket]:
    """Yields a connection whose answer waits for the sandbox clock."""
    noticed = server.app.sandboxes.default.waiting = Noticed()
    with dial(server.cpg.base_url) as connection:
        connection.sendall(ask(server.cpg))
        assert noticed.there.wait(DEADLINE)
        held(connection)
        yield connection


def test_a_delay_waits_for_the_sandbox_clock_to_the_millisecond(frozen: MockServer) -> None:
    with waiting(frozen) as connection:
        frozen.clock.advance("299999ms")
        held(connection)
        frozen.clock.advance("1ms")
        assert len(parts(whole(connection))[2]) == 635


def _set(server: MockServer) -> None:
    server.clock.advance("100s")
    server.clock.set("2100-01-01T00:00:00Z")


def _run(server: MockServer) -> None:
    server.clock.rate(1_000_000)
    server.clock.freeze(False)


RELEASES: dict[str, Callable[[MockServer], None]] = {
    "advanced": lambda server: server.clock.advance("5m"),
    "advanced from elsewhere": lambda server: RemoteServer(server.url).clock.advance("5m"),
    "set": _set,
    "let run": _run,
    "reset": lambda server: server.reset(),
}


@pytest.mark.parametrize("release", RELEASES)
def test_a_moved_clock_releases_the_response_at_once(server: MockServer, release: str) -> None:
    server.clock.freeze()
    server.clock.advance("1h")  # ahead of the clock that comes after a reset
    server.cpg.fail(RULE, deliver={"delay": "5m", "clock": "sandbox"})
    with waiting(server) as connection:
        RELEASES[release](server)
        assert len(parts(whole(connection))[2]) == 635
    assert server.app.sandboxes.default.waiting == set()


CLOCKED = {"delay": "5m", "clock": "sandbox"}


@pytest.mark.parametrize(
    "rules",
    [[CLOCKED, {"delay": "1ms", "reset": "body"}], [CLOCKED | {"reset": "body"}]],
    ids=["two rules", "one rule"],
)
def test_the_clock_is_that_of_the_delay_alone(
    server: MockServer, rules: list[dict[str, Any]]
) -> None:
    server.clock.freeze()
    names = [server.cpg.fail(deliver=given) for given in rules]
    with waiting(server) as connection:
        server.clock.advance("5m")
        heard = listen(connection, 1 << 20)
    assert (len(parts(heard.data)[2]), heard.end) == (317, RESET)
    assert server.journal[-1].fault == ", ".join(names)


# How it ends when somebody leaves


def loop_of(server: MockServer) -> asyncio.AbstractEventLoop:
    """Returns the loop that serves; it responds to requests about small worlds itself."""
    loops: list[asyncio.AbstractEventLoop] = []
    small = server.sandbox(world="empty")
    followers = server.app.sandboxes.get(small.id).journal.followers
    followers.append(lambda entry: loops.append(asyncio.get_running_loop()))
    once(small.cpg, get(f"/~{small.id}/nowhere", {}))
    server.drop(small)
    return loops[0]


async def tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def over(before: set[asyncio.Task[Any]]) -> None:
    """Returns when no other tasks are there than before."""
    async with asyncio.timeout(DEADLINE):
        while rest := await tasks() - before:
            await asyncio.wait(rest)


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
        for n, given in enumerate(HELD):
            server.cpg.fail(query={"n": str(n)}, deliver=given)
            connections.append(stack.enter_context(dial(server.cpg.base_url)))
            connections[-1].sendall(*reads(server.cpg, n))
        assert there.wait(DEADLINE)
        yield connections


def abort(*connections: socket.socket) -> None:
    """Ends connections by a reset: an end of what is sent alone would not be one of hearing."""
    for connection in connections:
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


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


@pytest.mark.parametrize(("given", "rest"), IN_LINE, ids=json.dumps)
def test_a_client_that_leaves_with_requests_in_line_is_missed_too(
    server: MockServer, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], rest: float
) -> None:
    monkeypatch.setattr(delivery, "POLL_MAX", rest)
    server.cpg.fail(query={"n": "2"}, deliver=given)
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
    """Counts those that Python knows, and where the system tells, those that it does not."""
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
MEMORY = 80 << 20  # bytes: what an answer of 13 million may take, all told


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


@pytest.mark.parametrize(("given", "part"), LARGE, ids=str)
def test_a_large_response_waits_for_its_reader_and_delays_no_other(
    whale: MockServer, handed: list[int], given: dict[str, Any], part: float
) -> None:
    whale.reset()
    whale.cpg.fail(operation="balances", deliver=given)
    with leaving_no_task(whale), small_buffers(whale.cpg.base_url) as connection:
        connection.sendall(ask(whale.cpg))
        begun = connection.recv(4096)
        began = time.monotonic()
        small = [once(whale.cpg, get("/nowhere", {})) for _ in range(20)]
        assert time.monotonic() - began < LATE
        assert [answer[9:12] for answer in small] == [b"404"] * 20
        _, head, body = parts(begun)
        size = int(int(re.search(rb"content-length: ([0-9]+)", head)[1]) * part)
        assert (sum(handed) < size) is ("dribble" in given)  # the others hand over all at once
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


# Where there is no socket


def test_without_a_socket_a_delivery_is_a_clear_error_and_takes_effect(server: MockServer) -> None:
    server.cpg.fail(deliver={"cut": 0.5})
    with (
        server.cpg.client(transport=server.transport) as client,
        pytest.raises(RuntimeError, match=re.escape(NO_SOCKET)),
    ):
        client.post(WITHDRAWALS, content=ORDER, headers=typed(ORDER))
    assert [entry.delivery for entry in server.journal] == ["cut: 0.5"]
    assert server.cpg.balances()[0].held == Decimal("251.5")
