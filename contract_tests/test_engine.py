"""What changes: clocks, windows, replay memory and ledger, without a socket."""

import threading
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mockserver import HandClock
from mockserver.edge import worlds
from mockserver.engine.answers import ENTRIES_MAX as ENTRIES_MAX_KEPT
from mockserver.engine.clock import Clock
from mockserver.engine.journal import ENTRIES_MAX, TARGET_MAX, Entry
from mockserver.engine.ledger import Book
from mockserver.engine.limits import CALLERS_MAX, Counter
from mockserver.engine.pipeline import answer
from mockserver.engine.replay import GENERATION_MAX, ReplayMemory
from mockserver.engine.sandbox import Sandbox, Settings
from mockserver.providers.coinapi.world import Balance as BalanceRow
from mockserver.providers.coinapi.world import ExchangeUnreachable
from mockserver.wire.amount import Amount, minus, number, plus, text
from mockserver.wire.duration import SECOND, nanoseconds
from mockserver.wire.message import Request
from mockserver.wire.provider import Limit, Move, Put, Row, Schedule, SetRow
from mockserver.wire.redaction import printable
from mockserver.wire.reject import REASONS, Reject

KEY, BALANCES = b"73034021-THIS-IS-SAMPLE-KEY", b"/v1/balances"

FIXED = settings(deadline=None, derandomize=True, database=None, max_examples=200)


def amounts(places: int = 40) -> st.SearchStrategy[str]:
    """Plain amounts within the bounds: at most 80 digits, ``places`` behind the point."""
    whole = st.integers(0, 10 ** (80 - places) - 1).map(str)
    return st.tuples(whole, st.text("0123456789", max_size=places)).map(
        lambda p: f"{p[0]}.{p[1]}" if p[1] else p[0]
    )


@FIXED
@given(amounts())
def test_an_amount_leaves_as_it_came(written: str) -> None:
    assert text(Amount.parse(written)) == written
    assert bytes(number(Amount.parse(written))).decode() == written


@FIXED
@given(amounts(), amounts())
def test_sums_of_amounts_are_exact(a: str, b: str) -> None:
    total = plus(Amount.parse(a), Amount.parse(b))
    assert minus(total, Amount.parse(b)) == Decimal(a)


def test_the_largest_and_the_smallest_add_up_to_the_last_digit() -> None:
    largest, smallest = Amount.parse("9" * 80), Amount.parse("0." + "0" * 39 + "1")
    assert text(plus(largest, smallest)) == "9" * 80 + "." + "0" * 39 + "1"


def test_nothing_negative_is_held() -> None:
    with pytest.raises(ValueError):
        Row(asset="A", total=Amount("1"), held=Amount("-0.5"))


def test_what_is_logged_is_one_line_without_control_characters() -> None:
    assert printable(b"a\x1b[31mb\nc\r\x00\xff\xc3\xa9") == "a\\x1b[31mb\\x0ac\\x0d\\x00\\xffé"


@pytest.mark.parametrize(
    "wrong", ["", "1e3", "+1", " 1", "1_0", ".5", "1.", "NaN", "\u0661", "-", 1]
)
def test_what_is_no_plain_amount_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError):
        Amount.parse(wrong)


DURATIONS = [
    ("250ms", 250_000_000),
    ("61s", 61 * SECOND),
    ("5m", 300 * SECOND),
    ("-1h", -3600 * SECOND),
]


@pytest.mark.parametrize(("written", "expected"), DURATIONS)
def test_durations_are_read(written: str, expected: int) -> None:
    assert nanoseconds(written) == expected


@pytest.mark.parametrize("wrong", ["", "5", "5 s", "1.5s", "\u0661s", "5d", "s", "9999999999s"])
def test_what_is_no_duration_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError):
        nanoseconds(wrong)


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
    assert clock.auth_now() == 1012 * SECOND
    clock.skew = -400 * SECOND
    assert clock.auth_now() == 612 * SECOND


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
    counter = Counter(Limit("reads", 2, 60 * SECOND))
    for caller in ("a", "b"):
        for _ in range(2):
            counter.check(caller, 119 * SECOND)
            counter.spend(caller, 119 * SECOND)
        with pytest.raises(Reject) as refused:
            counter.check(caller, 119 * SECOND)
        assert refused.value.facts["wait"] == SECOND
        assert refused.value.facts["reset"] == 120 * SECOND
    counter.check("a", 120 * SECOND)


def test_a_limit_of_none_at_all_lets_nobody_through() -> None:
    with pytest.raises(Reject):
        Counter(Limit("reads", 0, 60 * SECOND)).check("a", 0)


def test_callers_are_bounded() -> None:
    counter = Counter(Limit("reads", 1, 60 * SECOND))
    for n in range(CALLERS_MAX + 10):
        counter.spend(str(n), 0)
    assert len(counter._counts) == CALLERS_MAX  # noqa: SLF001
    counter.check("0", 0)
    with pytest.raises(Reject):
        counter.check(str(CALLERS_MAX + 9), 0)


def test_replay_memory_is_bounded_and_forgets_by_generations() -> None:
    memory = ReplayMemory()
    assert memory.accept(b"first", 0, 600)
    assert not memory.accept(b"first", 600, 600), "still one generation back"
    assert memory.accept(b"first", 1800, 600), "long ago"
    for n in range(3 * GENERATION_MAX):
        memory.accept(b"%d" % n, 1800, 600)
    assert len(memory._fresh) + len(memory._stale) <= 2 * GENERATION_MAX  # noqa: SLF001


def test_a_full_generation_is_still_remembered_when_the_next_begins() -> None:
    memory = ReplayMemory()
    for n in range(GENERATION_MAX + 1):
        memory.accept(b"%d" % n, 0, 600)
    assert not memory.accept(b"0", 0, 600)
    assert not memory.accept(b"%d" % (GENERATION_MAX - 1), 0, 600)


def book() -> Book:
    part = worlds.load("default").parts["cpg"]
    return Book(part.accounts, part.section)


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
        changes = (Move(*USDT, held=Amount("1")), Put("withdrawal", 1, "x"), wrong)
        with pytest.raises((ValueError, KeyError)):
            ledger.apply(changes)
        assert ledger.accounts["main"].rows == before
        assert ledger.records == {}


def test_what_is_due_comes_in_the_order_of_time_then_of_scheduling() -> None:
    ledger = book()
    for at, event in ((2, "c"), (1, "a"), (1, "b"), (3, "d")):
        ledger.apply((Schedule(at, event),))
    assert list(ledger.due(2)) == [(1, "a"), (1, "b"), (2, "c")]
    assert list(ledger.due(2)) == []


def test_a_sandbox_shares_rows_with_its_world_until_it_changes_them() -> None:
    part = worlds.load("default").parts["cpg"]
    one, other = (Book(part.accounts, part.section) for _ in range(2))
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
        return answer(sandbox, "coinapi", request).body

    first = read()
    assert read() is first, "kept"
    assert read(key=b"00000000-EMPTY-KEY") != first
    assert read(b"exchange_id=BINANCE") != first
    kraken = sandbox.desks["coinapi"].book.accounts["main"].rows["XBT", "KRAKEN"]
    sandbox.change("coinapi", SetRow("main", replace(kraken, total=Amount("7"))))
    assert b'"balance":7,' in read()
    sandbox.happen("coinapi", ExchangeUnreachable("KRAKEN"))
    assert b"EXCHANGE_UNREACHABLE" in read()
    sandbox.reset()
    assert read() == first
    for n in range(2 * ENTRIES_MAX_KEPT):
        read(b"exchange_id=BINANCE&" + b"x" * n)
        read(b"exchange_id=KRAKEN/%d" % n)
    assert len(sandbox.desks["coinapi"].answers._kept) <= ENTRIES_MAX_KEPT  # noqa: SLF001


def ask(sandbox: Sandbox, path: bytes) -> int:
    request = Request("GET", path, b"", [], b"", "127.0.0.1", path)
    return answer(sandbox, "coinapi", request).status


def test_the_journal_keeps_the_last_entries_only() -> None:
    sandbox = Sandbox("default", worlds.load("default"), HandClock())
    for _ in range(ENTRIES_MAX + 5):
        ask(sandbox, b"/")
    assert len(sandbox.journal.entries) == ENTRIES_MAX
    assert sandbox.journal.entries[-1].n == ENTRIES_MAX + 5


def entry(sandbox: Sandbox, key: bytes = b"", path: bytes = BALANCES) -> Entry:
    headers = [(b"x-coinapi-key", key)]
    answer(sandbox, "coinapi", Request("GET", path, b"", headers, b"", "127.0.0.1", path))
    return sandbox.journal.entries[-1]


def test_an_entry_tells_who_when_and_what_but_not_without_end() -> None:
    sandbox = Sandbox("default", worlds.load("default"), HandClock(1000 * SECOND))
    sandbox.clock.advance(5 * SECOND)
    assert entry(sandbox, KEY)[1:] == (
        1005 * SECOND, 1000 * SECOND, "coinapi", "getBalances", "GET", BALANCES, "main", 200, "", "",
    )  # fmt: skip
    assert entry(sandbox, b"reject-other").credential == "reject-other"
    assert entry(sandbox, path=b"/" + b"x" * 9999).target == b"/" + b"x" * (TARGET_MAX - 1)


def test_a_reset_forgets_ledger_windows_and_replay_memory() -> None:
    settings = Settings(limits={"coinapi.reads": "1/60s"})
    sandbox = Sandbox("default", worlds.load("default"), HandClock(0), settings)
    assert entry(sandbox, KEY).status == 200
    assert entry(sandbox, KEY).status == 429
    sandbox.desks["cpg"].replay.accept(b"digest", 0, 600)
    sandbox.change("cpg", Move(*USDT, held=Amount("1")))
    sandbox.reset()
    assert entry(sandbox, KEY).status == 200
    assert sandbox.desks["cpg"].replay.accept(b"digest", 0, 600)
    assert sandbox.desks["cpg"].book.accounts["main"].rows["USDT", "ETH"].held == Amount("200")


def test_only_refused_requests_are_followed() -> None:
    sandbox, followed = Sandbox("default", worlds.load("default"), HandClock()), []
    sandbox.journal.follow = followed.append
    entry(sandbox, KEY)
    refused = entry(sandbox, b"nobody")
    assert followed == [refused]


def test_changes_from_another_thread_are_never_seen_half_made() -> None:
    """Without the sandbox's lock a read would meet a ledger that grows while it lists it."""
    sandbox = Sandbox("default", worlds.load("whale"), HandClock(), Settings(limits_off=True))
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
        assert [entry(sandbox, KEY).status for _ in range(10)] == [200] * 10
    finally:
        done.set()
        thread.join()


def test_a_defect_of_ours_is_the_providers_500_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = Sandbox("default", worlds.load("default"), HandClock())
    monkeypatch.setattr(sandbox.desks["coinapi"].router, "find", lambda *_: 1 / 0)
    assert ask(sandbox, b"/v1/balances") == 500
    assert sandbox.journal.entries[-1].reason == "internal_error"
    assert "ZeroDivisionError" in caplog.text


def test_every_error_table_uses_the_shared_reasons_only() -> None:
    for part in worlds.load("default").parts.values():
        assert set(part.provider.errors) <= set(REASONS)
