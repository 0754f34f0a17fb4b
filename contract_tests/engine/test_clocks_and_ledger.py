"""What changes: clocks, windows, replay memory and ledger, without a socket."""

import logging
import threading
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from mockserver import HandClock
from mockserver.engine import journal, replay
from mockserver.engine.clock import Clock
from mockserver.engine.journal import RULE_SIZE, RULES_MAX, JournalEntry
from mockserver.engine.ledger import Ledger
from mockserver.engine.limits import CALLERS_MAX, BanList, FixedWindow, RollingWindow, window
from mockserver.engine.pipeline import respond
from mockserver.engine.redactor import TARGET_MAX
from mockserver.engine.replay import ReplayMemory
from mockserver.engine.router import Router
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.settings import Settings
from mockserver.files import worlds
from mockserver.http.log import follow
from mockserver.model.amounts import Amount
from mockserver.model.http import Request
from mockserver.model.provider import BanPolicy, Limit, Route
from mockserver.model.redaction import Redactor, printable
from mockserver.model.reject import REASONS, Reject
from mockserver.model.times import SECOND, duration_text, parse_duration
from mockserver.model.world import Move, PutRecord, Row, Schedule, SetRow
from mockserver.providers import discover
from mockserver.providers.coinapi.world import Balance as BalanceRow
from mockserver.providers.coinapi.world import ExchangeUnreachable

KEY, BALANCES = b"73034021-THIS-IS-SAMPLE-KEY", b"/v1/balances"

FIXED = settings(deadline=None, derandomize=True, database=None, max_examples=50)


def amounts(places: int = 40) -> st.SearchStrategy[str]:
    """Plain amounts within the bounds: at most 80 digits, ``places`` behind the point."""
    whole = st.integers(0, 10 ** (80 - places) - 1).map(str)
    return st.tuples(whole, st.text("0123456789", max_size=places)).map(
        lambda p: f"{p[0]}.{p[1]}" if p[1] else p[0]
    )


def test_nothing_negative_is_held() -> None:
    with pytest.raises(ValueError):
        Row(asset="A", total=Amount("1"), held=Amount("-0.5"))


def test_what_is_logged_is_one_line_without_control_characters() -> None:
    assert printable(b"a\x1b[31mb\nc\r\x00\xff\xc3\xa9") == "a\\x1b[31mb\\x0ac\\x0d\\x00\\xffé"


@pytest.mark.parametrize(
    "duration", [0, 1, 999_999, 1_000_001, 61 * SECOND, 86400 * SECOND + 1, 3153600000 * SECOND]
)
def test_a_duration_is_read_as_it_was_written(duration: int) -> None:
    for either in (duration, -duration):
        assert parse_duration(duration_text(either)) == either


def test_the_clock_moves_stops_and_runs_while_the_auth_clock_is_real() -> None:
    real = HandClock(1000 * SECOND)
    clock = Clock(real)
    clock.advance(61 * SECOND)
    real.advance("1s")
    assert clock.now() == 1062 * SECOND
    clock.freeze()
    real.advance("10s")
    assert clock.now() == 1062 * SECOND
    clock.freeze(frozen=False)
    clock.run_at(60)
    real.advance("1s")
    assert clock.now() == 1122 * SECOND
    clock.set(2000 * SECOND)
    assert clock.now() == 2000 * SECOND
    assert clock.read()[1] == 1012 * SECOND
    clock.skew = -400 * SECOND
    assert clock.read()[1] == 612 * SECOND


def test_the_clock_never_goes_back_nor_too_fast() -> None:
    clock = Clock(HandClock(1000 * SECOND))
    for wrong in (
        lambda: clock.set(999 * SECOND),
        lambda: clock.advance(-1),
        lambda: clock.advance(10**30),
        lambda: clock.run_at(0),
        lambda: clock.run_at(10**9),
    ):
        with pytest.raises(ValueError):
            wrong()
    assert clock.now() == 1000 * SECOND


def test_a_window_is_aligned_to_the_epoch_and_counts_each_caller() -> None:
    counter = FixedWindow(Limit("reads", 2, 60 * SECOND))
    for caller in ("a", "b"):
        for _ in range(2):
            counter.check(caller, 119 * SECOND)
            counter.charge(caller, 119 * SECOND)
        with pytest.raises(Reject) as refused:
            counter.check(caller, 119 * SECOND)
        assert refused.value.facts["wait"] == SECOND
        assert refused.value.facts["reset"] == 120 * SECOND
    counter.check("a", 120 * SECOND)


def test_a_rolling_window_ends_with_the_request_that_is_judged() -> None:
    counter = window(Limit("reads", 2, 10 * SECOND, rolling=True))
    for at in (5, 8):
        counter.check("a", at * SECOND)
        counter.charge("a", at * SECOND)
    counter.check("b", 8 * SECOND)
    for at in (8 * SECOND, 15 * SECOND - 1):
        with pytest.raises(Reject) as refused:
            counter.check("a", at)
        assert refused.value.facts["reset"] == 15 * SECOND
        assert refused.value.facts["wait"] == 15 * SECOND - at
    counter.check("a", 15 * SECOND)
    counter.charge("a", 15 * SECOND)
    with pytest.raises(Reject) as refused:
        counter.check("a", 15 * SECOND)
    assert refused.value.facts["reset"] == 18 * SECOND


def test_a_rolling_window_keeps_no_more_times_than_it_counts() -> None:
    counter = RollingWindow(Limit("reads", 3, 10 * SECOND, rolling=True))
    for at in range(100):
        counter.charge("a", at)
    assert len(counter._times["a"]) == 3  # noqa: SLF001
    wide = RollingWindow(Limit("reads", 10**12, 10, rolling=True))
    for at in range(100):
        wide.charge("a", at)
    assert len(wide._times["a"]) == 10  # noqa: SLF001


@pytest.mark.parametrize("rolling", [False, True])
def test_a_share_divides_what_a_caller_may_do(rolling: bool) -> None:
    counter = window(Limit("reads", 5, 60 * SECOND, rolling))
    for _ in range(2):
        counter.check("a", 0, divisor=2)
        counter.charge("a", 0)
    with pytest.raises(Reject):
        counter.check("a", 0, divisor=2)
    counter.check("a", 0)


@pytest.mark.parametrize("rolling", [False, True])
def test_callers_are_bounded(rolling: bool) -> None:
    counter = window(Limit("reads", 1, 60 * SECOND, rolling))
    for n in range(CALLERS_MAX + 10):
        counter.charge(str(n), 0)
    callers = counter._times if rolling else counter._counts  # noqa: SLF001
    assert len(callers) == CALLERS_MAX
    counter.check("0", 0)
    with pytest.raises(Reject):
        counter.check(str(CALLERS_MAX + 9), 0)


PENALTY = BanPolicy("uid", 3, 10 * SECOND, 300 * SECOND, 30 * SECOND, 2, 8 * 3600 * SECOND)


def offended(offenders: BanList, at: int, times: int = 3) -> None:
    for _ in range(times):
        offenders.count_offence("a", at * SECOND)


def banned_until(offenders: BanList, at: int) -> int:
    """Returns the second at which a ban ends, 0 for none."""
    try:
        offenders.divisor("a", at * SECOND)
    except Reject as reject:
        return int(reject.facts["reset"]) // SECOND
    return 0


def test_refusals_lead_to_a_warning_then_a_ban_then_the_blacklist() -> None:
    offenders = BanList(PENALTY)
    offended(offenders, 0, times=2)
    assert offenders.divisor("a", 0) == 1
    offended(offenders, 10, times=1)
    assert (offenders.divisor("a", 10 * SECOND), offenders.divisor("b", 10 * SECOND)) == (2, 1)
    assert offenders.divisor("a", 310 * SECOND - 1) == 2
    assert offenders.divisor("a", 310 * SECOND) == 1
    offended(offenders, 20)
    assert [banned_until(offenders, at) for at in (20, 49, 50)] == [50, 50, 0]
    offended(offenders, 30)
    assert banned_until(offenders, 49) == 50, "what comes during a ban does not lengthen it"
    offended(offenders, 60)
    assert banned_until(offenders, 60) == 90
    offended(offenders, 100)
    assert banned_until(offenders, 100) == 100 + 8 * 3600


def test_refusals_that_lie_too_far_apart_lead_to_nothing() -> None:
    offenders = BanList(PENALTY)
    for at in (0, 6, 11, 17):
        offenders.count_offence("a", at * SECOND)
        assert offenders.divisor("a", at * SECOND) == 1


def test_bans_of_long_ago_do_not_count_for_the_blacklist() -> None:
    offenders = BanList(PENALTY)
    for start in (0, 1000, 1000 + 8 * 3600):
        offended(offenders, start)
        offended(offenders, start + 1)
    assert banned_until(offenders, start + 1) == start + 31


def test_offenders_are_bounded() -> None:
    offenders = BanList(PENALTY)
    for n in range(CALLERS_MAX + 10):
        offenders.count_offence(str(n), 0)
    assert len(offenders._records) == CALLERS_MAX  # noqa: SLF001


@pytest.fixture
def generation(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many digests a generation of the replay memory has at most."""
    assert replay.GENERATION_MAX == 262_144
    monkeypatch.setattr(replay, "GENERATION_MAX", 100)
    return 100


def test_replay_memory_is_bounded_and_forgets_by_generations(generation: int) -> None:
    memory = ReplayMemory()
    assert memory.accept(b"first", 0, 600)
    assert not memory.accept(b"first", 600, 600), "still one generation back"
    assert memory.accept(b"first", 1800, 600), "long ago"
    for n in range(3 * generation):
        memory.accept(b"%d" % n, 1800, 600)
    assert len(memory._fresh) + len(memory._stale) <= 2 * generation  # noqa: SLF001


def test_a_full_generation_is_still_remembered_when_the_next_begins(generation: int) -> None:
    memory = ReplayMemory()
    for n in range(generation + 1):
        memory.accept(b"%d" % n, 0, 600)
    assert not memory.accept(b"0", 0, 600)
    assert not memory.accept(b"%d" % (generation - 1), 0, 600)


def book() -> Ledger:
    part = worlds.load("default").parts["cpg"]
    return Ledger(part.accounts, part.section)


USDT = ("main", "USDT", "ETH")


def test_changes_are_applied_whole_or_not_at_all() -> None:
    ledger = book()
    before = dict(ledger.accounts["main"].rows)
    for wrong in (
        Move(*USDT, held=Amount("2000")),
        Move(*USDT, total=Amount("-1500")),
        Move("main", "DOGE", "ETH", total=Amount("1")),
        SetRow("nobody", before["USDT", "ETH"]),
    ):
        changes = (Move(*USDT, held=Amount("1")), PutRecord("withdrawal", 1, "x"), wrong)
        with pytest.raises((ValueError, KeyError)):
            ledger.apply(changes)
        assert ledger.accounts["main"].rows == before
        assert ledger.records == {}


def test_due_events_come_in_the_order_of_time_then_of_scheduling() -> None:
    ledger = book()
    for at, event in ((2, "c"), (1, "a"), (1, "b"), (3, "d")):
        ledger.apply((Schedule(at, event),))
    assert list(ledger.due(2)) == [(1, "a"), (1, "b"), (2, "c")]
    assert list(ledger.due(2)) == []


def test_a_sandbox_shares_rows_with_its_world_until_it_changes_them() -> None:
    part = worlds.load("default").parts["cpg"]
    one, other = (Ledger(part.accounts, part.section) for _ in range(2))
    one.apply((Move(*USDT, held=Amount("1")), Move(*USDT, held=Amount("2"))))
    assert one.accounts["main"].rows["USDT", "ETH"].held == Amount("203")
    assert other.accounts["main"].rows["USDT", "ETH"].held == Amount("200")
    assert other.accounts["main"].rows is part.accounts["main"].rows


@FIXED
@given(amounts(20), amounts(20))
def test_a_row_never_holds_more_than_there_is(total: str, held: str) -> None:
    good = Decimal(held) <= Decimal(total)
    try:
        Row(asset="A", total=Amount.parse(total), held=Amount.parse(held))
    except ValueError:
        assert not good
    else:
        assert good


def test_a_kept_answer_holds_until_the_ledger_changes_and_for_one_caller_only() -> None:
    sandbox = Sandbox("default", worlds.load("default"), HandClock(), Settings(limits_off=True))

    def read(query: bytes = b"exchange_id=KRAKEN", key: bytes = KEY) -> bytes:
        headers = [(b"x-coinapi-key", key)]
        request = Request("GET", BALANCES, query, headers, b"", "127.0.0.1", BALANCES)
        return respond(sandbox, "coinapi", request).response.body

    first = read()
    assert read() is first, "kept"
    assert read(key=b"00000000-EMPTY-KEY") != first
    assert read(b"exchange_id=BINANCE") != first
    kraken = sandbox.states["coinapi"].ledger.accounts["main"].rows["XBT", "KRAKEN"]
    sandbox.change("coinapi", SetRow("main", replace(kraken, total=Amount("7"))))
    assert b'"balance":7,' in read()
    sandbox.apply_event("coinapi", ExchangeUnreachable("KRAKEN"))
    assert b"EXCHANGE_UNREACHABLE" in read()
    sandbox.reset()
    assert read() == first


def ask(sandbox: Sandbox, path: bytes) -> int:
    request = Request("GET", path, b"", [], b"", "127.0.0.1", path)
    return respond(sandbox, "coinapi", request).response.status


def test_the_journal_keeps_the_last_entries_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert journal.ENTRIES_MAX == 10_000
    monkeypatch.setattr(journal, "ENTRIES_MAX", 50)
    sandbox = Sandbox("default", worlds.load("default"), HandClock())
    sizes = set()
    for count in (100, 1_000):
        while sandbox.journal.count < count:
            ask(sandbox, BALANCES)
        entries = sandbox.journal.entries
        assert (len(entries), entries[0].n, entries[-1].n) == (50, count - 49, count)
        sizes.add((sandbox.journal._size, len(sandbox.journal.counts.exact)))  # noqa: SLF001
    assert sizes == {(sum(entry.size for entry in entries), 1)}


def entry(sandbox: Sandbox, key: bytes = b"", path: bytes = BALANCES) -> JournalEntry:
    headers = [(b"x-coinapi-key", key)]
    respond(sandbox, "coinapi", Request("GET", path, b"", headers, b"", "127.0.0.1", path))
    return sandbox.journal.entries[-1]


def test_an_entry_has_caller_times_and_a_bounded_request() -> None:
    sandbox = Sandbox("default", worlds.load("default"), HandClock(1000 * SECOND))
    sandbox.clock.advance(5 * SECOND)
    first = entry(sandbox, KEY)
    assert astuple(first)[1:11] == (
        1005 * SECOND, 1000 * SECOND, "coinapi", "getBalances", "GET", BALANCES, "main", 200, "", "",
    )  # fmt: skip
    assert first.request_headers == b"x-coinapi-key: redacted:22cfb5b9"
    assert (first.request_body, first.response_headers) == (
        b"",
        ((b"content-type", b"application/json"),),
    )
    assert first.response_body.startswith(b'[{"exchange_id":"KRAKEN"')
    assert entry(sandbox, b"reject-other").credential == "reject-other"
    assert entry(sandbox, path=b"/" + b"x" * 9999).target == b"/" + b"x" * (TARGET_MAX - 1)


def test_a_reset_forgets_ledger_windows_and_replay_memory() -> None:
    settings = Settings(limits={"coinapi.reads": "1/60s"})
    sandbox = Sandbox("default", worlds.load("default"), HandClock(0), settings)
    assert entry(sandbox, KEY).status == 200
    assert entry(sandbox, KEY).status == 429
    sandbox.states["cpg"].replay.accept(b"digest", 0, 600)
    sandbox.change("cpg", Move(*USDT, held=Amount("1")))
    sandbox.reset()
    assert entry(sandbox, KEY).status == 200
    assert sandbox.states["cpg"].replay.accept(b"digest", 0, 600)
    assert sandbox.states["cpg"].ledger.accounts["main"].rows["USDT", "ETH"].held == Amount("200")


def test_every_request_is_followed_and_the_refused_ones_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "mockserver")
    sandbox, followed = Sandbox("default", worlds.load("default"), HandClock()), []
    sandbox.journal.followers += [followed.append, follow]
    good, refused = entry(sandbox, KEY), entry(sandbox, b"nobody")
    assert followed == [good, refused]
    assert [r.getMessage() for r in caplog.records] == [
        "coinapi GET /v1/balances -> 401 unknown_credential: unknown_credential. Use a key of this sandbox's world."
    ]


def test_changes_from_another_thread_are_never_seen_half_made() -> None:
    """Without the sandbox's lock a read would meet a ledger that grows while it lists it."""
    section = worlds.data(worlds.find("whale"))["coinapi"]
    world = worlds.from_data({"coinapi": section}, "whale")
    sandbox = Sandbox("default", world, HandClock(), Settings(limits_off=True))
    done = threading.Event()

    def grow() -> None:
        n = 0
        while not done.is_set():
            row = BalanceRow(asset=f"NEW{n}", venue="KRAKEN", total=Amount("1"))
            sandbox.change("coinapi", SetRow("main", row))
            n += 1

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        assert [entry(sandbox, KEY).status for _ in range(3)] == [200] * 3
    finally:
        done.set()
        thread.join()


def test_an_internal_error_is_the_providers_500_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = Sandbox("default", worlds.load("default"), HandClock())
    monkeypatch.setattr(sandbox.states["coinapi"].router, "find", lambda *_: 1 / 0)
    assert ask(sandbox, b"/v1/balances") == 500
    assert sandbox.journal.entries[-1].reason == "internal_error"
    assert "ZeroDivisionError" in caplog.text


def test_every_error_table_uses_the_shared_reasons_only() -> None:
    for part in worlds.load("default").parts.values():
        assert set(part.provider.errors) <= set(REASONS)


ROUTER = Router(
    [
        Route("one", "GET", "/a/b", None, None),
        Route("two", "GET", "/a/{id}", None, None),
        Route("three", "POST", "/p?c=x", None, None, aliases=("/q?c=x",)),
        Route("four", "POST", "/p?c=y", None, None),
    ]
)


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/a/b", ("one", {})),
        ("GET", "/a/%62", ("one", {})),
        ("GET", "/%61/x%2Fy", ("two", {"id": "x/y"})),
        ("GET", "/a%2Fb", "no_route"),
        ("GET", "/a/", "no_route"),
        ("GET", "/a/b/", "no_route"),
        ("PUT", "/a/b", "bad_method"),
        ("POST", "/p?c=x", ("three", {})),
        ("POST", "/q?d=1&c=x", ("three", {})),
        ("POST", "/%70?c=%79", ("four", {})),
        ("POST", "/p?c=z", "no_route"),
        ("POST", "/p", "no_route"),
        ("GET", "/p?c=x", "bad_method"),
    ],
)
def test_a_route_is_found_by_method_path_and_parameter(
    method: str, target: str, expected: object
) -> None:
    path, _, query = target.encode().partition(b"?")
    request = Request(method, path, query, [], b"", "127.0.0.1", path)
    try:
        route, captured = ROUTER.find(request)
        outcome: object = (route.id, captured)
    except Reject as reject:
        outcome = reject.reason
    assert outcome == expected


HUSH = b"hush-4711"

WHERE_SECRETS_STAND = [
    ("query", b"api_key=%s"), ("query", b"a=1&SECRET_KEY=%s&b=2"), ("query", b"a=1;sign=%s"),
    ("query", b"X-API-KEY=%s"), ("query", b"api%%4Bey=%s"), ("query", b"access_token=%s"),
    ("body", b"secretKey=%s&a=1"), ("body", b"\xef\xbb\xbfapi_key=%s"), ("body", b"[api_key=%s"),
    ("body", b'--x\r\nname="api_key"\r\n\r\n%s\r\n--x--'), ("body", b'{"apiKeySecret":"%s"}'),
    ("body", b'"{\\"api_key\\":\\"%s\\"}"'), ("body", b'{"credentials":["%s"]}'),
    ("body", b'{"connectionFields":{"%s":"a"}}'), ("body", b'{"APISECRET":"%s"'),
    ("body", b"{'apiSecret':'%s'}"), ("body", b'{"a":{"api_secret":"x","other":"%s"}}'),
    ("body", b'{"apiSecret":"%s","name":"so %s it"}'.replace(b"so %s it", b"so hush-4711 it")),
    ("headers", b"x-coinw-apikey"), ("headers", b"api-key"), ("headers", b"cb-access-sign"),
    ("headers", b"x-wallet-auth"), ("headers", b"authorization"), ("headers", b"x-cpg-key"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "text"), WHERE_SECRETS_STAND, ids=str)
def test_a_secret_is_redacted_wherever_a_client_puts_it(where: str, text: bytes) -> None:
    redactor = Redactor([provider.secrets for provider in discover().values()])
    if where == "headers":
        redacted = redactor.header(text, HUSH)
    else:
        redacted = getattr(redactor, where)(text % HUSH)
    assert HUSH not in redacted
    assert b"redacted:" in redacted


def test_a_secret_in_utf_16_is_redacted() -> None:
    body = '{"apiSecret":"hush-4711"}'.encode("utf-16")
    assert Redactor([]).body(body).startswith(b"redacted:")


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("query", b"currency=USDT&network=ETH&pageToken=abc&note=a%20b;c"),
        ("body", b'{"currency":"USDT","amount":"50.00"}'),
        ("body", b"command=returnBalances"),
        ("body", b""),
    ],
)
def test_other_values_are_kept_as_they_were_sent(where: str, text: bytes) -> None:
    redactor = Redactor([provider.secrets for provider in discover().values()])
    assert getattr(redactor, where)(text) == text
    assert redactor.header(b"x-other", b"4711") == b"4711"


def test_applied_rules_are_counted_within_a_bound() -> None:
    sandbox = Sandbox("default", worlds.load("default"), HandClock())
    journal, before = sandbox.journal, sandbox.share.used
    for n in range(RULES_MAX + 5):
        journal.count_rules(["always", f"rule-{n}"])
    assert len(journal.counts.applied_rules) == RULES_MAX
    assert journal.counts.applied_rules["always"] == RULES_MAX + 5
    assert "rule-5" not in journal.counts.applied_rules, "applied least recently"
    assert sandbox.share.used - before == RULES_MAX * RULE_SIZE
    journal.clear()
    assert journal.counts.applied_rules["always"] == RULES_MAX + 5, "coverage outlives the entries"
    journal.reset()
    assert (len(journal.counts.applied_rules), sandbox.share.used) == (0, before)


def test_redacted_queries_and_bodies_are_cut_behind_their_limit() -> None:
    redactor = Redactor([])
    assert redactor.query(b"a=1&" * 100, 20) == b"a=1&" * 5 + b"a=1"
    body = b'{"api_key":"k-4711-x","rows":[%b]}' % b",".join([b'"k-4711-x"'] * 100)
    redacted = redactor.body(body, 60)
    assert (b"k-4711" in redacted, len(redacted) < 200) == (False, True)
