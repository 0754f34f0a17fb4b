"""When the bytes of a delivery come, by real time and by the sandbox clock."""

import contextlib
import json
import math
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from contract_tests.clients.senders import DEADLINE, dial
from contract_tests.support.delivery_sockets import (
    BALANCES,
    LATE,
    RESET,
    RULE,
    abort,
    ask,
    held,
    listen,
    once,
    parts,
    said,
)
from contract_tests.support.sockets import dateless, read_response
from mockserver import MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.client.remote import RemoteServer
from mockserver.faults import kinds
from mockserver.faults.chance import Chance
from mockserver.faults.deliveries import PIECES_PER_SECOND as TICKS
from mockserver.faults.parameters import HOUR
from mockserver.faults.plan import Delivery, delivery_script
from mockserver.faults.rules import Fault
from mockserver.faults.script import PIECES_MAX, STEPS_MAX, Script, SendStep, WaitStep, pieces
from mockserver.http import delivery
from mockserver.http.delivery import Pause
from mockserver.model.times import MILLISECOND

# When it comes


class Pace(NamedTuple):
    """A delivery in time: how many bytes may be there after so many seconds, and when all are."""

    deliver: dict[str, Any]
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


@pytest.mark.parametrize("pace", PACES, ids=[json.dumps(pace.deliver) for pace in PACES])
def test_no_byte_comes_before_its_time_and_all_come(server: MockServer, pace: Pace) -> None:
    _, head, body = parts(once(server.cpg, ask(server.cpg)))
    server.cpg.fail(RULE, deliver=pace.deliver)
    size = int(len(body) * pace.deliver["cut"]) if "cut" in pace.deliver else len(body)
    size = 0 if "hang" in pace.deliver else len(head) + size
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


def waits(delivery: str, value: Any, count: int, seed: int = 490) -> list[int]:
    """Returns how long the first so many delays of a rule last, in nanoseconds."""
    kind = kinds.find(kinds.DELIVERIES, delivery)
    drawn = kind.parse(value)
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


@pytest.mark.parametrize("value", [UNIFORM, LOGNORMAL], ids=json.dumps)
def test_drawn_delays_repeat_for_a_seed(value: Any) -> None:
    drawn = waits("delay", value, 20)
    assert waits("delay", value, 20) == drawn
    assert len(set(drawn)) == 20
    assert not set(waits("delay", value, 20, seed=491)) & set(drawn)


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
    deliveries = []
    for rule in rules:
        for name, value in rule.items():
            kind = kinds.find(kinds.DELIVERIES, name)
            fault = Fault(kind, kind.parse(value), "")
            deliveries.append(Delivery(fault, Chance(490, RULE, 1), sandbox_clock=False))
    return delivery_script(deliveries, b"h" * head, b"b" * body)


def passed(steps: Script) -> float:
    """Returns the milliseconds that a script waits."""
    return sum(step.duration for step in steps if isinstance(step, WaitStep)) / MILLISECOND


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


def test_two_dribbles_cut_a_small_body_by_both_sizes() -> None:
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
def test_slow_deliveries_add_up_in_either_order(
    rules: list[dict[str, Any]], expected: float
) -> None:
    for order in (rules, rules[::-1]):
        steps = scripted(*order)
        assert passed(steps) == pytest.approx(expected, abs=0.01)
        assert said(steps) == b"h" * 130 + b"b" * 1000
        waits = [isinstance(step, WaitStep) for step in steps]
        assert not any(one and next for one, next in pairwise(waits)), "no wait is in two parts"


# On the sandbox clock


@pytest.fixture
def frozen(server: MockServer) -> MockServer:
    """A server whose sandbox clock stands still, with a delay of five minutes on that clock."""
    server.clock.freeze()
    server.cpg.fail(RULE, deliver={"delay": "5m", "clock": "sandbox"})
    return server


class Noticed(set[Any]):
    """A set that signals each addition."""

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
        assert len(parts(read_response(connection))[2]) == 635


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
        assert len(parts(read_response(connection))[2]) == 635
    assert server.app.sandboxes.default.waiting == set()


CLOCKED = {"delay": "5m", "clock": "sandbox"}


@pytest.mark.parametrize(
    "rules",
    [[CLOCKED, {"delay": "1ms", "reset": "body"}], [CLOCKED | {"reset": "body"}]],
    ids=["two rules", "one rule"],
)
def test_the_sandbox_clock_times_the_delay_alone(
    server: MockServer, rules: list[dict[str, Any]]
) -> None:
    server.clock.freeze()
    names = [server.cpg.fail(deliver=rule) for rule in rules]
    with waiting(server) as connection:
        server.clock.advance("5m")
        heard = listen(connection, 1 << 20)
    assert (len(parts(heard.data)[2]), heard.end) == (317, RESET)
    assert server.journal[-1].fault == ", ".join(names)
