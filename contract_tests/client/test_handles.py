"""Servers, sandboxes, providers and credentials in Python: in this process and remote."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mockserver import Balance, Clock, HandClock, JournalEntry, MockServer, ProviderHandle, Sandbox
from mockserver.client import sandbox as sandboxes
from mockserver.client.remote import RemoteServer
from mockserver.errors import SettingError
from mockserver.providers import discover


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


SECOND = 10**9
START = 1_893_456_000 * SECOND  # 2030-01-01


@pytest.fixture(scope="module")
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture(scope="module")
def on_hand_clock(clock: HandClock) -> Iterator[MockServer]:
    with MockServer(real=clock) as server:
        yield server


@pytest.fixture(params=["in process", "remote"])
def server(request: pytest.FixtureRequest, running: MockServer) -> MockServer | RemoteServer:
    return running if request.param == "in process" else RemoteServer(running.url)


@pytest.fixture
def sandbox(server: MockServer | RemoteServer) -> Sandbox:
    return server.sandbox("mine")


def read(sandbox: Sandbox, label: str = "main", **headers: str) -> int:
    """Sends CPG's main read; returns the status."""
    with sandbox.cpg.client(label, headers=headers) as client:
        return client.get(f"/v1/balances?n={len(sandbox.journal)}").status_code


def usdt(sandbox: Sandbox) -> list[str]:
    rows = [row for row in sandbox.cpg.balances("main") if row.asset == "USDT"]
    return [f"{row.venue} {row.total} {row.held} fee {row.fee}" for row in rows]


def test_the_fixtures_types_are_public(sandbox: Sandbox, running: MockServer) -> None:
    with sandbox.coinapi.client() as client:
        client.get("/v1/balances")
    assert type(sandbox) is Sandbox
    assert isinstance(running, Sandbox)
    assert isinstance(sandbox.clock, Clock)
    assert isinstance(sandbox.journal[0], JournalEntry)
    for name in ("cdp", "coinapi", "coinstats", "coinw", "cpg"):
        handle = sandbox.provider(name)  # type: ignore[arg-type]
        assert isinstance(handle, ProviderHandle)
        assert handle is getattr(sandbox, name)
        assert all(isinstance(row, Balance) for row in handle.balances())


def test_a_credential_is_a_dictionary_that_reads_as_attributes(sandbox: Sandbox) -> None:
    credentials = sandbox.cpg.credentials
    assert credentials.key_id == credentials["key_id"]
    assert sandbox.coinstats.credentials.connection_fields.keys() == {"apiKey", "apiSecret"}
    assert sandbox.cpg.others["empty"].secret
    assert json.loads(json.dumps(credentials)) == dict(**credentials) == credentials
    assert not hasattr(credentials, "nope")
    with pytest.raises(KeyError, match="did you mean secret"):
        _ = credentials["secrets"]


def test_sleep_advances_the_clock_and_returns_at_once(sandbox: Sandbox) -> None:
    sandbox.clock.freeze()
    before = sandbox.clock.now
    sandbox.sleep(3600)
    sandbox.sleep("1m")
    sandbox.sleep(timedelta(seconds=1))
    asyncio.run(sandbox.asleep(0.5))
    assert sandbox.clock.now - before == timedelta(seconds=3661.5)
    with pytest.raises(SettingError):
        sandbox.sleep(-1)
    sandbox.clock.unfreeze()
    assert sandbox.clock.now_ns < sandbox.clock.now_ns


def test_the_journal_ends_with_its_last_entries(sandbox: Sandbox) -> None:
    sandbox.clear_journal()
    with sandbox.coinapi.client() as client:
        for n in range(3):
            client.get(f"/v1/balances?n={n}")
    journal = sandbox.journal
    assert [entry.n for entry in journal.last(2)] == [entry.n for entry in journal][1:]
    assert (journal.last(0), journal.last(9)) == ([], journal)


def test_a_repr_says_id_world_and_base_url(sandbox: Sandbox, running: MockServer) -> None:
    assert repr(sandbox).startswith("<Sandbox mine of the world default: cdp http://127.0.0.1:")
    assert repr(sandbox.cpg) == f"<CpgHandle cpg at {sandbox.cpg.base_url}>"
    assert repr(running) == f"<MockServer at {running.url}, world default>"
    running.drop(sandbox)
    assert repr(sandbox).startswith("<Sandbox mine: no sandbox mine")


def test_a_world_may_be_a_file(running: MockServer, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    rows = '{balances: [{asset: BTC, total: "7.50"}]}'
    key = "{api_key: a, secret_key: b, account: m}"
    file.write_text(f"coinw: {{keys: {{main: {key}}}, accounts: {{m: {rows}}}}}", encoding="utf-8")
    for world in (file, str(file)):
        assert str(running.sandbox(world=world).coinw.balances("m")[0].total) == "7.50"
    with pytest.raises(ValueError, match="no such world"):
        running.sandbox(world=tmp_path / "nope.yaml")
    file.write_text("coinw: {keys: 7", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.yaml:2: "):
        running.sandbox(world=file)


def test_a_server_that_starts_again_has_new_addresses() -> None:
    server = MockServer()
    assert server.cpg.base_url == "http://mockserver/cpg"
    addresses = set()
    for n in range(2):
        with server, server.cpg.client() as client:
            assert client.get(f"/v1/balances?n={n}").status_code == 200
            addresses.add(server.cpg.base_url)
    assert len(addresses) == 2


def test_amounts_are_text_decimals_or_whole_numbers(sandbox: Sandbox) -> None:
    sandbox.coinw.set_balance("main", "BTC", total=Decimal("1.50"), held=Decimal("1E-9"))
    sandbox.coinw.credit("main", "BTC", 2)
    sandbox.coinw.debit("main", "BTC", "0.25")
    row = next(row for row in sandbox.coinw.balances() if row.asset == "BTC")
    assert (str(row.total), f"{row.held:f}") == ("3.25", "0.000000001")
    row = {"asset": "USDT", "venue": "ETH", "total": Decimal("1E-6")}
    sandbox.cpg.set_balances("main", [row])
    assert [f"{row.total:f}" for row in sandbox.cpg.balances()] == ["0.000001"]
    wrong: Any = 1.5
    with pytest.raises(ValueError, match="an amount is a quoted string"):
        sandbox.coinw.credit("main", "BTC", wrong)


# The ledger

ETH, TRX = "ETH 1500.000000 200.000000 fee 1.500000", "TRX 250.500000 0.000000 fee 1.000000"
PLACE = ("main", "USDT", "ETH")
ROW = {"asset": "USDT", "venue": "ETH", "decimals": 6, "total": "7.10", "held": "0.2"}

# What is done, and the rows of USDT after it.
CHANGES: list[tuple[Callable[[ProviderHandle], None], list[str]]] = [
    (lambda cpg: cpg.set_balance(*PLACE, total="7.10", held="0.2"), ["ETH 7.10 0.2 fee 1.500000", TRX]),
    (lambda cpg: cpg.set_balance(*PLACE, total="7.10"), ["ETH 7.10 0 fee 1.500000", TRX]),
    (lambda cpg: cpg.set_balance(*PLACE, fee="2"), ["ETH 1500.000000 0 fee 2", TRX]),
    (lambda cpg: cpg.set_balance("main", "USDT", "BSC", total="1"), [ETH, TRX, "BSC 1 0 fee 0"]),
    (lambda cpg: cpg.set_balances("main", [ROW]), ["ETH 7.10 0.2 fee 0"]),
    (lambda cpg: cpg.set_balances("main", []), []),
    (lambda cpg: cpg.drop_balance(*PLACE), [TRX]),
    (lambda cpg: cpg.credit("main", "USDT", "0.000001", "ETH"), ["ETH 1500.000001 200.000000 fee 1.500000", TRX]),
    (lambda cpg: cpg.debit("main", "USDT", "1300", "ETH"), ["ETH 200.000000 200.000000 fee 1.500000", TRX]),
    (lambda cpg: cpg.hold("main", "USDT", "1300", "ETH"), ["ETH 1500.000000 1500.000000 fee 1.500000", TRX]),
    (lambda cpg: cpg.release("main", "USDT", "200", "ETH"), ["ETH 1500.000000 0.000000 fee 1.500000", TRX]),
]  # fmt: skip


def test_every_change_of_the_ledger_is_seen_by_clients_until_a_reset(sandbox: Sandbox) -> None:
    for change, rows in CHANGES:
        change(sandbox.cpg)
        assert usdt(sandbox) == rows
        with sandbox.cpg.client() as client:
            data = client.get("/v1/balances?currency=USDT").json()["data"]
        seen = [(row["network"], Decimal(row["balance"]), Decimal(row["held"])) for row in data]
        figures = (row.split()[:3] for row in rows)
        assert seen == [(venue, Decimal(total), Decimal(held)) for venue, total, held in figures]
        sandbox.reset()
        assert usdt(sandbox) == [ETH, TRX]


# Credentials, events, settings


def test_the_world_is_that_of_the_moment(sandbox: Sandbox) -> None:
    earlier = sandbox.world()
    sandbox.cpg.credit("main", "USDT", 1, "ETH")
    assert sandbox.world() != earlier


def test_a_name_with_a_slash_is_one_part_of_a_path(sandbox: Sandbox) -> None:
    sandbox.coinapi.set_balance("main", "A/B", "KRAKEN", total="5")
    assert [str(row.total) for row in sandbox.coinapi.balances() if row.asset == "A/B"] == ["5"]


def test_an_exception_stops_a_server() -> None:
    async def use() -> None:
        async with server:
            raise LookupError

    server = MockServer()
    with pytest.raises(LookupError):
        asyncio.run(use())
    assert not server.running


def test_credentials_have_labels(sandbox: Sandbox) -> None:
    cpg = sandbox.cpg
    assert [*cpg.others][:4] == ["empty", "no_permission", "ip_locked", "revoked"]
    assert "reject-rate_limited" in cpg.others
    assert cpg.credential("main") == cpg.credentials
    assert cpg.credential("empty") == cpg.others["empty"] != cpg.credentials
    assert {*cpg.credentials} == {"key_id", "secret"}
    labels = ["main", "empty", "revoked"]
    assert [read(sandbox, label) for label in labels] == [200, 200, 401]
    assert [entry.credential for entry in sandbox.journal] == labels


def test_an_event_happens_once(sandbox: Sandbox) -> None:
    order = {"currency": "USDT", "network": "ETH", "to_address": "0xrecipient0", "amount": "100"}
    with sandbox.cpg.client() as client:
        assert client.post("/v1/withdrawals", json=order).status_code == 200
    assert usdt(sandbox)[0] == "ETH 1500.000000 301.500000 fee 1.500000"
    sandbox.cpg.event("withdrawal_confirmed", id=1)
    assert usdt(sandbox)[0] == "ETH 1398.500000 200.000000 fee 1.500000"
    with pytest.raises(ValueError, match="withdrawal 1"):
        sandbox.cpg.event("withdrawal_confirmed", id=1)


def test_quirks_and_limits_are_changed_and_restored(sandbox: Sandbox) -> None:
    sandbox.clock.freeze()  # so that no window ends during this test
    sandbox.set_quirks({"coinw.empty": "null", "cpg.replay": "off"})
    sandbox.set_quirks({"coinw.empty": None})
    assert (sandbox.quirks["coinw.empty"], sandbox.quirks["cpg.replay"]) == ("object", "off")
    for limits, key, ip, statuses in (
        ({"cpg.key": "1/60s"}, "1/60s", "1200/60s", [200, 429]),
        ("off", "off", "off", [200, 200]),
        ({"cpg.key": None}, "120/60s", "off", [200, 200]),
        ("default", "120/60s", "1200/60s", [200, 200]),
    ):
        sandbox.set_limits(limits)
        assert (sandbox.limits["cpg.key"], sandbox.limits["cpg.ip"]) == (key, ip)
        assert [read(sandbox), read(sandbox)] == statuses


def test_a_reset_restores_everything_but_the_credentials(sandbox: Sandbox) -> None:
    before = (sandbox.id, sandbox.cpg.credentials, sandbox.quirks, sandbox.limits)
    sandbox.cpg.drop_balance(*PLACE)
    sandbox.set_quirks({"cpg.replay": "off"})
    sandbox.set_limits("off")
    sandbox.cpg.event("key_revoked", key="main")
    assert read(sandbox) == 401
    sandbox.reset()
    assert (sandbox.id, sandbox.cpg.credentials, sandbox.quirks, sandbox.limits) == before
    assert (sandbox.journal, usdt(sandbox)) == ([], [ETH, TRX])
    assert read(sandbox) == 200


def test_a_sandbox_is_created_with_settings_under_a_chosen_id(
    server: MockServer | RemoteServer,
) -> None:
    settings = {"world": "empty", "quirks": {"coinw.empty": "null"}, "limits": {"cpg.key": "off"}}
    sandbox = server.sandbox("chosen", **settings, seed=7, ttl="2h")
    assert sandbox.id == "chosen"
    assert sandbox.coinw.base_url.endswith("/~chosen")
    assert (sandbox.quirks["coinw.empty"], sandbox.limits["cpg.key"]) == ("null", "off")
    assert sandbox.cpg.balances() == []
    server.drop(sandbox)
    for use in (lambda: server.drop(sandbox), sandbox.reset, lambda: sandbox.quirks):
        with pytest.raises(ValueError, match="no sandbox chosen"):
            use()
    with pytest.raises(ValueError, match="the sandbox default stays"):
        server.drop(server.default)


# Time


def test_skew_moves_only_the_clock_that_checks_signatures(sandbox: Sandbox) -> None:
    sandbox.clock.freeze()
    before = sandbox.clock.now_ns
    for skew, status in (("-400s", 401), ("-200s", 200), ("400s", 401), ("0s", 200)):
        sandbox.clock.skew(skew)
        assert read(sandbox) == status
    reasons = [entry.reason for entry in sandbox.journal]
    assert reasons == ["outside_window", "", "outside_window", ""]
    assert sandbox.clock.now_ns == before


# What is done; seconds that the sandbox clock has moved, at once and after one of real time.
MOVES: list[tuple[Callable[[Sandbox], Any], float, float]] = [
    (lambda s: None, 0, 1),
    (lambda s: s.clock.advance("250ms"), 0.25, 1.25),
    (lambda s: s.clock.freeze(), 0, 0),
    (lambda s: (s.clock.freeze(), s.clock.freeze(frozen=False)), 0, 1),
    (lambda s: (s.clock.freeze(), s.clock.advance("5m")), 300, 300),
    (lambda s: s.clock.set("2030-01-01T00:00:00.5Z"), 0.5, 1.5),
    (lambda s: s.clock.rate(60), 0, 60),
    (lambda s: s.clock.rate(0.5), 0, 0.5),
    (lambda s: s.clock.skew("400s"), 0, 1),
    (lambda s: (s.clock.advance("61s"), s.clock.rate(60), s.clock.freeze(), s.reset()), 0, 1),
]


def test_a_snapshot_has_the_time_at_which_it_was_taken(
    on_hand_clock: MockServer, clock: HandClock
) -> None:
    box = on_hand_clock.sandbox()
    clock.advance("5s")
    box.snapshot("later")
    [row] = box._call("GET", "/snapshots")["snapshots"]  # noqa: SLF001
    assert row["time"] == box.clock.now.isoformat().replace("+00:00", "Z")


def test_the_clock_follows_its_calls(on_hand_clock: MockServer, clock: HandClock) -> None:
    for server in (on_hand_clock, RemoteServer(on_hand_clock.url)):
        for move, at_once, later in MOVES:
            clock.now = START
            sandbox = server.sandbox("mine")
            move(sandbox)
            moved = [sandbox.clock.now_ns - START]
            clock.advance("1s")
            moved.append(sandbox.clock.now_ns - START)
            assert moved == [at_once * SECOND, later * SECOND]


# The journal


def test_the_journal_lists_requests_and_can_be_cleared(sandbox: Sandbox) -> None:
    read(sandbox)
    with sandbox.cpg.client() as client:
        client.post("/v1/nope", content=b"{}")
    first, second = sandbox.journal
    assert (first.n, first.provider, first.operation, first.method) == (
        1,
        "cpg",
        "listBalances",
        "GET",
    )
    assert (first.credential, first.status, first.reason) == ("main", 200, "")
    assert (second.n, second.operation, second.method) == (2, "", "POST")
    assert (second.credential, second.status, second.reason) == ("", 404, "no_route")
    assert first.target == "/~mine/v1/balances?n=0"
    assert json.loads(first.response["body"])["success"] is True
    assert second.request["body"] == "{}"
    sandbox.clear_journal()
    assert sandbox.journal == []
    read(sandbox)
    assert [entry.n for entry in sandbox.journal] == [3], "numbers go on"
    assert sandbox.coverage()["cpg"]["operations"]["listBalances"] == 2
    assert sandbox.verify(target="/v1/balances", exactly=1) == 1, "the provider's path"
    assert sandbox.verify(target="/~mine/v1/balances?n=0", exactly=1) == 1, "the client's path"


def test_a_journal_of_several_pages_is_whole(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandboxes, "PAGE_SIZE", 2)
    for _ in range(5):
        read(sandbox)
    assert [entry.n for entry in sandbox.journal] == [1, 2, 3, 4, 5]


# Of three requests to cpg: two by main, answered with 200, and one by revoked.
COUNTS: list[tuple[dict[str, Any], int | None]] = [
    ({"provider": "cpg"}, 3),
    ({"provider": "coinw"}, None),
    ({"provider": "coinw", "exactly": 0}, 0),
    ({"provider": "cpg", "exactly": 2}, None),
    ({"status": 200, "at_most": 1}, None),
    ({"credential": "main", "at_least": 1, "at_most": 2}, 2),
    ({"operation": "listBalances", "reason": "revoked_credential"}, 1),
    ({"method": "POST", "exactly": 0}, 0),
    ({"header": {"X-Trace": "t1"}, "exactly": 1}, 1),
]


def test_verify_counts_requests_and_names_the_nearest_misses(sandbox: Sandbox) -> None:
    for n, label in enumerate(("main", "main", "revoked")):
        read(sandbox, label, **{"X-Trace": f"t{n}"})
    for match, count in COUNTS:
        if count is None:
            with pytest.raises(AssertionError, match=r"^[0-3] requests match, expected"):
                sandbox.verify(**match)
        else:
            assert sandbox.verify(**match) == count
    with pytest.raises(AssertionError) as failed:
        sandbox.verify(credential="revoked", status=200)
    read_main = "differs in {'credential': {'wanted': 'revoked', 'found': 'main'}}"
    assert str(failed.value).splitlines() == [
        "0 requests match, expected {'at_least': 1} of {'credential': 'revoked', 'status': 200}",
        f"  n=1 GET /~mine/v1/balances?n=0 -> 200 : {read_main}",
        f"  n=2 GET /~mine/v1/balances?n=1 -> 200 : {read_main}",
        "  n=3 GET /~mine/v1/balances?n=2 -> 401 revoked_credential: differs in {'status': {'wanted': 200, 'found': 401}}",
    ]
    coverage = sandbox.coverage()
    assert [*coverage] == [*discover(), "faults"]
    expected = {"listBalances": 3, "submitWithdrawal": 0, "getWithdrawal": 0, "ping": 0}
    assert coverage["cpg"]["operations"] == expected
    occurred = {reason: count for reason, count in coverage["cpg"]["reasons"].items() if count}
    assert occurred == {"revoked_credential": 1}
    assert "submitWithdrawal" in coverage["cpg"]["missing"]
    assert not {"listBalances", "revoked_credential"} & {*coverage["cpg"]["missing"]}
