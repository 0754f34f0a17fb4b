"""Time is what the caller says: windows, expiry and events on the sandbox clock, signatures not.

And with time set, one caller and one seed, a server says the same things byte for byte.
"""

import itertools
import json
import re
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from contract_tests.clients.senders import Sent, by_hand, tool, typed
from contract_tests.support.raw import exchange, wire
from mockserver import HandClock, MockServer, create_app
from mockserver.cli.curl import curl_line
from mockserver.client.provider import ProviderHandle
from mockserver.engine import pipeline
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT, Sandboxes
from mockserver.http import monotonic_clock as monotonic
from mockserver.model.http import Request
from mockserver.providers import discover

DEADLINE = 30  # seconds

# A full minute, ahead of all that a machine's own clock may say.
NEW_YEAR = "2090-01-01T00:00:00Z"
LATER = "2090-01-01T00:00:10Z"


@pytest.fixture
def real() -> HandClock:
    return HandClock()


@pytest.fixture
def wound(real: HandClock) -> Iterator[MockServer]:
    """A server whose real time is wound by hand."""
    with MockServer(real=real) as server:
        yield server


def send(handle: ProviderHandle, target: str = "", method: str = "", body: bytes = b"") -> Sent:
    """Sends a request, by default the main read, signed by ``main``."""
    example, url = handle.example, urlsplit(handle.base_url)
    target = target or example.target.decode()
    body = body if method else example.body
    draft = handle.auth.sign(
        method or example.method, url.path + target, body, url.netloc, typed(body)
    )
    return by_hand(handle.base_url, wire(draft))


NUMBERS = itertools.count()


def read(handle: ProviderHandle, query: str = "") -> Sent:
    """Sends the main read, told apart from every other by a number in its query."""
    example = handle.example
    query = query or example.query.decode()
    return send(handle, f"{example.path.decode()}?n={next(NUMBERS)}&{query}".rstrip("&"))


# Limits


class Limited(NamedTuple):
    """A limit, other settings so that it is the first to be met, and how often it lets through.

    ``frees`` is when it lets through again after ten seconds of a minute, in milliseconds.
    """

    name: str
    settings: dict[str, str]
    count: int
    frees: int
    query: str = ""

    @property
    def provider(self) -> str:
        return self.name.partition(".")[0]


COMPLETE = "command=returnCompleteBalances"
NO_COMMAND = {"coinw.returnBalances": "off"}
ADDRESS_ONLY = NO_COMMAND | {"coinw.user": "off"}

LIMITS = [
    Limited("cdp.reads", {"cdp.reads": "3/10s"}, 3, 10_000),
    Limited("coinapi.reads", {"coinapi.reads": "3/60s"}, 3, 50_000),
    Limited("coinstats.reads", {"coinstats.reads": "3/60s"}, 3, 60_000),
    Limited("coinw.returnBalances", {}, 3, 1_000),
    Limited("coinw.returnCompleteBalances", {}, 5, 2_000, COMPLETE),
    Limited("coinw.user", {"coinw.user": "4/1s"} | NO_COMMAND, 4, 1_000),
    Limited("coinw.ip", ADDRESS_ONLY, 100, 1_000),
    Limited("cpg.key", {}, 120, 50_000),
    Limited("cpg.ip", {"cpg.ip": "4/60s"}, 4, 50_000),
]
EACH = {limit.name: limit for limit in LIMITS}

# How each provider says that a limit is full.
FULL = {
    "cdp": (429, b'"errorType":"rate_limit_exceeded"'),
    "coinapi": (429, b'{"error":"Too Many Requests"}'),
    "coinstats": (429, b'"message":"Rate limit exceeded"'),
    "coinw": (200, b'{"code":29001,"msg":"API access frequently"}'),
    "cpg": (429, b'{"success":false,"message":"Rate limit exceeded"}'),
}


def lets_through(server: MockServer, limit: Limited) -> bool:
    """Asks once, and tells whether the answer is good or the one for a full limit."""
    status, words = FULL[limit.provider]
    sent = read(getattr(server, limit.provider), limit.query)
    assert sent.status in {200, status}, sent.body
    return sent.status == 200 and words not in sent.body


def exhaust(server: MockServer, limit: Limited) -> None:
    """Asks as often as the limit lets through, and once more."""
    through = [lets_through(server, limit) for _ in range(limit.count + 1)]
    assert through == [True] * limit.count + [False]


def test_every_limit_has_a_row() -> None:
    known = {f"{p.name}.{limit.name}" for p in discover().values() for limit in p.limits}
    assert set(EACH) == known


@pytest.mark.parametrize("limit", LIMITS, ids=[f"{r.name} {r.count}" for r in LIMITS])
def test_a_limit_frees_when_the_clock_says_and_not_before(
    wound: MockServer, limit: Limited
) -> None:
    wound.set_limits(limit.settings)
    wound.clock.freeze()
    wound.clock.set(LATER)
    exhaust(wound, limit)
    wound.clock.advance(f"{limit.frees - 1}ms")
    assert not lets_through(wound, limit)
    wound.clock.advance("1ms")
    exhaust(wound, limit)


def test_advances_break_no_client_that_signs_with_real_time(server: MockServer) -> None:
    curl = tool("curl")
    states = server.app.sandboxes.default.states
    began = server.clock.now_ns
    for n in range(3):
        server.clock.advance("61s")
        for name, provider in discover().items():
            key, base_url = states[name].keyring.with_label("main"), getattr(server, name).base_url
            line = curl_line(
                provider, key, base_url, f"n={n}", server.app.sandboxes.default.clock.real()
            )
            done = subprocess.run(
                [curl, "-q", "--noproxy", "*", *shlex.split(line)[1:]],
                capture_output=True,
                timeout=DEADLINE,
                check=False,
            )
            assert done.returncode == 0, (name, n, done.stdout)
    assert server.clock.now_ns - began >= 3 * 61 * 10**9
    server.verify(status=200, reason="", exactly=3 * len(discover()))


# What each clock drives

Probe = Callable[[], Any]


def window(server: MockServer) -> Probe:
    server.set_limits({"coinapi.reads": "1/60s"})
    assert read(server.coinapi).status == 200
    return lambda: read(server.coinapi).status


def retry_after(server: MockServer) -> Probe:
    server.set_limits({"coinapi.reads": "0/60s"})
    return lambda: read(server.coinapi).headers["retry-after"]


def retry_after_for_an_address(server: MockServer) -> Probe:
    server.set_limits({"cpg.ip": "0/60s"})
    return lambda: read(server.cpg).headers["retry-after"]


def page_token(server: MockServer) -> Probe:
    token = json.loads(read(server.cdp, "pageSize=2").body)["nextPageToken"]
    return lambda: read(server.cdp, f"pageToken={token}").status


def sync_state(server: MockServer) -> Probe:
    server.set_quirks({"coinstats.sync_polls": "1000"})
    id = json.loads(send(server.coinstats).body)["portfolio"]["id"]
    target = f"/v1/exchange/status?portfolioId={id}"
    return lambda: json.loads(send(server.coinstats, target, "GET").body)["status"]


ORDER = b'{"currency":"USDT","network":"ETH","to_address":"0xrecipient0","amount":"50.00"}'


def withdrawal(server: MockServer) -> Probe:
    assert send(server.cpg, "/v1/withdrawals", "POST", ORDER).status == 200

    def status() -> str:
        target = f"/v1/withdrawals/1?n={next(NUMBERS)}"
        state: str = json.loads(send(server.cpg, target, "GET").body)["data"]["status"]
        return state

    return status


def timestamp(server: MockServer) -> Probe:
    return lambda: json.loads(read(server.cpg).body)["message"]


def again(handle: ProviderHandle, outcome: Callable[[Sent], Any]) -> Probe:
    """Sends the same bytes each time, once to begin with."""
    url = urlsplit(handle.base_url)
    draft = handle.auth.sign("GET", url.path + handle.example.path.decode(), b"", url.netloc)
    data = wire(draft)
    assert by_hand(handle.base_url, data).status == 200
    return lambda: outcome(by_hand(handle.base_url, data))


def replay(server: MockServer) -> Probe:
    return again(server.cpg, lambda sent: json.loads(sent.body)["message"])


def token(server: MockServer) -> Probe:
    return again(server.cdp, lambda sent: sent.status)


USED = "Request signature has already been used"
OUTSIDE = "Request timestamp is outside the allowed window"


class Driven(NamedTuple):
    """What a clock drives: how it stands, until the clock has moved so far, and how then."""

    what: str
    probe: Callable[[MockServer], Probe]
    short: str
    before: Any
    due: str
    after: Any


SANDBOX_CLOCK = [
    Driven("a window", window, "59999ms", 429, "60s", 200),
    Driven("Retry-After", retry_after, "0s", "60", "20s", "40"),
    Driven("Retry-After of cpg.ip", retry_after_for_an_address, "0s", "60", "59s", "1"),
    Driven("a page token", page_token, "15m", 200, "900001ms", 400),
    Driven("a sync", sync_state, "4999ms", "syncing", "5s", "synced"),
    Driven("a withdrawal", withdrawal, "59999ms", "broadcasted", "60s", "confirmed"),
]

AUTH_CLOCK = [
    Driven("a cpg timestamp", timestamp, "300s", "OK", "301s", OUTSIDE),
    Driven("a cpg timestamp ahead", timestamp, "-300s", "OK", "-301s", OUTSIDE),
    Driven("the replay memory", replay, "300s", USED, "301s", OUTSIDE),
    Driven("exp of cdp", token, "124s", 200, "125s", 401),
    Driven("nbf of cdp", token, "-5s", 200, "-6s", 401),
]


def at_a_full_second(real: HandClock) -> None:
    """Puts real time where what counts in whole seconds leaves no rest."""
    real.now = real.now // 10**9 * 10**9


@pytest.mark.parametrize("row", SANDBOX_CLOCK, ids=[row.what for row in SANDBOX_CLOCK])
def test_the_sandbox_clock_drives_what_is_no_signature(
    wound: MockServer, real: HandClock, row: Driven
) -> None:
    wound.clock.freeze()
    wound.clock.set(NEW_YEAR)
    probe = row.probe(wound)
    wound.clock.advance(row.short)
    assert probe() == row.before
    wound.clock.skew("100s")
    real.advance("2h")
    assert probe() == row.before, "neither real time nor the auth clock moves it"
    wound.clock.set(moved(row.due))
    assert probe() == row.after


def moved(duration: str) -> str:
    """Returns the moment so long after the new year."""
    count, unit = re.fullmatch(r"([0-9]+)(ms|s)", duration).groups()
    seconds, rest = divmod(int(count) * (1 if unit == "ms" else 1000), 1000)
    return f"2090-01-01T00:{seconds // 60:02}:{seconds % 60:02}.{rest:03}Z"


@pytest.mark.parametrize("row", AUTH_CLOCK, ids=[row.what for row in AUTH_CLOCK])
def test_the_auth_clock_drives_signatures_and_the_sandbox_clock_does_not(
    wound: MockServer, real: HandClock, row: Driven
) -> None:
    at_a_full_second(real)
    probe = row.probe(wound)
    for duration in ("61s", "1h", "24h"):
        wound.clock.advance(duration)
        probe()
    wound.clock.skew(row.short)
    assert probe() == row.before
    wound.clock.skew(row.due)
    assert probe() == row.after


# The same again


def pages(server: MockServer) -> Iterator[bytes]:
    """Walks through 250 rows, from page to page."""
    account, token = server.cdp.credentials["accounts"]["many"], ""
    while True:
        more = f"&pageToken={token}" if token else ""
        answer = response_of(server.cdp, f"/v2/accounts/{account}/balances?pageSize=100{more}")
        yield answer
        token = json.loads(answer.partition(b"\r\n\r\n")[2]).get("nextPageToken", "")
        if not token:
            return


def response_of(
    handle: ProviderHandle, target: str, method: str = "GET", body: bytes = b""
) -> bytes:
    """Sends a signed request and returns the answer's bytes, the Date header aside."""
    url = urlsplit(handle.base_url)
    draft = handle.auth.sign(method, url.path + target, body, url.netloc, typed(body))
    answer = exchange(handle.base_url, wire(draft))
    assert answer.count(b"\r\ndate: ") == 1
    return re.sub(rb"\r\ndate: [^\r]*", b"", answer)


REFERENCE = ORDER[:-1] + b',"client_reference":"a"}'
EXCHANGE = (
    b'{"connectionId":"binance","connectionFields":{"apiKey":"your_binance_api_key_here",'
    b'"apiSecret":"your_binance_api_secret_here"}}'
)
PINNED = "618f0bb0f2cf07dce25bc5007750bf1646825509bb63519bd491ab6a56daa419"


def program(server: MockServer) -> list[bytes]:
    """Runs calls of every kind, good and refused, with changes and moments between them."""
    server.clock.freeze()
    server.clock.set(NEW_YEAR)
    server.set_limits({"coinapi.reads": "2/60s", "cpg.ip": "12/60s"})
    answers = [
        *pages(server),
        response_of(server.cdp, "/v2/accounts/nobody"),
        response_of(server.cdp, "/v2/nope"),
    ]
    answers += [response_of(server.coinapi, f"/v1/balances?n={n}") for n in range(3)]
    answers += [response_of(server.coinstats, "/v1/exchange/balance", "POST", EXCHANGE)]
    answers += [
        response_of(server.coinstats, f"/v1/exchange/status?portfolioId={PINNED}") for _ in range(3)
    ]
    answers += [response_of(server.coinstats, "/v1/exchange/status?portfolioId=0")]
    answers += [
        response_of(server.coinw, "/api/v1/private?command=returnBalances", "POST") for _ in "1234"
    ]
    answers += [response_of(server.coinw, "/api/v1/private?command=nothing", "POST")]
    for order in (ORDER, REFERENCE, ORDER.replace(b"50.00", b"5.00"), b"{"):
        answers.append(response_of(server.cpg, "/v1/withdrawals", "POST", order))
    server.cpg.credit("main", "USDT", "0.000001", "ETH")
    server.cpg.event("withdrawal_failed", id=2)
    for n, duration in enumerate(("1s", "58s", "1s", "1h")):
        server.clock.advance(duration)
        answers += [response_of(server.cpg, f"/v1/withdrawals/{id}?n={n}") for id in (1, 2, 3)]
        answers += [
            response_of(server.cpg, f"/v1/balances?n={n}"),
            response_of(server.coinapi, f"/v1/balances?n={n}"),
        ]
    return answers


@contextmanager
def hammered(server: MockServer) -> Iterator[Callable[[], int]]:
    """Sends to another sandbox for as long as the block runs; yields how often so far."""
    sandbox = server.sandbox()
    stop, begun = threading.Event(), threading.Event()

    def hammer() -> None:
        for n in itertools.count():
            sandbox.cpg.hold("main", "USDT", "0.000001", "ETH")
            response_of(sandbox.cpg, f"/v1/balances?n={n}")
            response_of(sandbox.coinw, "/api/v1/private?command=returnBalances", "POST")
            begun.set()
            if stop.is_set():
                return

    thread = threading.Thread(target=hammer)
    thread.start()
    try:
        assert begun.wait(DEADLINE)
        yield lambda: len(sandbox.journal)
    finally:
        stop.set()
        thread.join()


def test_a_run_repeats_byte_for_byte(server: MockServer) -> None:
    first = program(server)
    assert len(set(first)) > len(first) // 2, "the answers do differ from each other"
    server.reset()
    assert program(server) == first, "after a reset"
    with MockServer() as other:
        assert program(other) == first, "on a second server"
    server.reset()
    with hammered(server) as count:
        before = count()
        assert program(server) == first, "while another sandbox is hammered"
        assert count() > before
    with MockServer(seed=491) as other:
        assert program(other) != first, "another seed makes other ids"


# Time that is moved from outside

MOVED = [-365 * 24 * 3600 * 10**9, -(10**9), 2 * 3600 * 10**9]


@pytest.mark.parametrize("by", MOVED)
def test_a_wall_clock_that_is_set_ends_no_sandbox_and_moves_no_sandbox_clock(by: int) -> None:
    wall, passing = HandClock(), HandClock(5 * 10**9)
    first = create_app().state.exchange.sandboxes.default
    box = Sandbox(DEFAULT, first.world, wall, first.initial_settings, monotonic=passing)
    known = Sandboxes(box, wall)
    other = known.make("made", first.world, first.initial_settings, 60 * 10**9)
    before = other.clock.now()
    wall.now += by
    assert known.get("made") is other
    assert other in known
    assert (other.clock.now(), other.clock.read()[1]) == (before, before + by)
    passing.advance("59s")
    assert other.clock.now() == before + 59 * 10**9
    assert known.get("made") is other
    passing.advance("61s")
    assert known.get("made") is None


def test_a_given_clock_that_goes_back_never_takes_the_sandbox_clock_back(
    wound: MockServer, real: HandClock
) -> None:
    sandbox = wound.sandbox(ttl="60s", limits={"cdp.reads": "1/10s"})
    assert read(sandbox.cdp).status == 200
    before = sandbox.clock.now_ns
    real.now -= 24 * 3600 * 10**9
    assert sandbox.clock.now_ns == before
    assert read(sandbox.cdp).status == 429
    real.advance("11s")
    assert sandbox.clock.now_ns == before + 11 * 10**9
    assert read(sandbox.cdp).status == 200, "the window has passed, whatever the wall says"


def test_a_server_takes_monotonic_time_that_is_not_replaced_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hand = HandClock(0)
    monkeypatch.setattr(monotonic.HELD, "monotonic", hand)
    for name in ("monotonic_ns", "monotonic", "time_ns", "time"):  # as freezegun does
        monkeypatch.setattr(f"time.{name}", lambda: 7)
    server = MockServer()
    sandbox = server.sandbox(ttl="60s")
    before = sandbox.clock.now_ns
    hand.advance("59s")
    assert sandbox.clock.now_ns == before + 59 * 10**9
    hand.advance("61s")
    with pytest.raises(ValueError, match="no sandbox"):
        sandbox.reset()


@pytest.mark.parametrize("step", [-3600 * 10**9, 3600 * 10**9])
def test_a_duration_in_the_journal_is_monotonic(step: int) -> None:
    wall, passing = (
        itertools.count(10**18, step),
        itertools.count(0, 5),
    )  # nanoseconds, more at each reading
    world = create_app().state.exchange.sandboxes.default.world
    sandbox = Sandbox(DEFAULT, world, lambda: next(wall), monotonic=lambda: next(passing))
    pipeline.respond(sandbox, "coinapi", Request("GET", b"/", b"", [], b"", "127.0.0.1", b"/"))
    assert 0 < sandbox.journal.entries[-1].duration < 1000
