"""Snapshots from every side: control API, Python, marker, command line; and documents that are bad."""

import json
import random
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract_tests.support.commands import run_here
from contract_tests.support.control_calls import ControlClient
from mockserver import MockServer
from mockserver.client.snapshots import Snapshot
from mockserver.engine import snapshot_shelf
from mockserver.engine.snapshot import SandboxState
from mockserver.errors import ControlError, FileError, SettingError
from mockserver.files import snapshots, worlds
from mockserver.model import times
from mockserver.providers import discover


def usdt(handle: Any) -> Decimal:
    return next(row.total for row in handle.cpg.balances() if row.venue == "TRX")


def debit(handle: Any, amount: str = "100") -> None:
    handle.cpg.debit("main", "USDT", amount, "TRX")


pytest_plugins = ["contract_tests.support.inner_session"]

FULL, LESS = Decimal("250.5"), Decimal("150.5")


def test_a_sandbox_returns_to_its_snapshots_over_http(server: MockServer) -> None:
    api = ControlClient(server.url)
    row = api.good("POST", "/sandboxes/default/snapshots", {"name": "before"}, 201)
    assert (row["name"], row["requests"], row["journal"]) == ("before", 0, False)
    debit(server)
    assert api.good("POST", "/sandboxes/default/snapshots", {}, 201)["name"] == "snapshot-1"
    listed = api.good("GET", "/sandboxes/default/snapshots")["snapshots"]
    assert [row["name"] for row in listed] == ["before", "snapshot-1"]
    document = api.good("GET", "/sandboxes/default/snapshots/snapshot-1")
    restored = api.good("POST", "/sandboxes/default/restore", {"snapshot": "before"})
    assert (restored["id"], usdt(server)) == ("default", FULL)
    api.good("POST", "/sandboxes/default/restore", {"snapshot": document})
    assert usdt(server) == LESS
    fork = api.good("POST", "/sandboxes/default/fork", {"id": "fork", "snapshot": "before"}, 201)
    assert fork["providers"]["cpg"]["credentials"] == server.cpg.credentials
    created = api.good("PUT", "/sandboxes/made", {"snapshot": document, "ttl": "5m"}, 201)
    assert (created["id"], created["world"]) == ("made", "default")
    api.good("DELETE", "/sandboxes/default/snapshots/before", status=204)
    assert api("GET", "/sandboxes/default/snapshots/before").status_code == 404
    assert api.good("GET", "/sandboxes/default/world")["name"] == "default"


def test_a_block_is_undone_and_a_fork_goes_its_own_way(server: MockServer) -> None:
    api, box = ControlClient(server.url), server.sandbox()
    with box.snapshot() as snapshot:
        debit(box)
        fork = box.fork()
        then = box.fork("then", snapshot=snapshot, ttl="1m")
        assert usdt(box) == LESS
    assert (usdt(box), usdt(fork), usdt(then)) == (FULL, LESS, FULL)
    in_a_minute, in_an_hour = (
        times.parse_instant(api.good("GET", f"/sandboxes/{id}")["expires"])
        for id in ("then", fork.id)
    )
    assert in_an_hour - in_a_minute > 1_800 * times.SECOND
    assert box._call("GET", "/snapshots") == {"snapshots": []}  # noqa: SLF001
    assert repr(box.snapshot("named", journal=True)) == "<Snapshot named>"


def test_a_snapshot_without_a_name_replaces_none(server: MockServer) -> None:
    box = server.sandbox()
    named = box.snapshot("snapshot-1")
    debit(box)
    box.snapshot()
    box.restore(named)
    assert usdt(box) == FULL


def read(box: Any) -> Any:
    with box.coinw.client() as client:
        request = box.coinw.example
        return client.request(request.method, request.target.decode(), content=request.body)


def test_a_sandbox_goes_back_to_an_entry_of_its_journal(server: MockServer) -> None:
    box = server.sandbox()
    for _ in range(2):
        read(box)
        debit(box)
    box.rewind(2)
    assert ([entry.n for entry in box.journal], usdt(box)) == ([1], LESS)
    read(box)
    assert box.journal[-1].n == 2
    with pytest.raises(ControlError, match="there is no request 3: the last one is 2"):
        box.rewind(3)
    box.reset()
    with pytest.raises(ControlError, match="there is no request 1: the last one is 0"):
        box.rewind(1)


def test_a_rule_that_was_dropped_before_an_entry_is_not_there_again(server: MockServer) -> None:
    box = server.sandbox()
    name = box.cpg.fail(status=503)
    read(box)
    box.clear_faults(name)
    read(box)
    box.rewind(2)
    assert box.faults == []


def test_a_snapshot_is_a_file_for_another_server(server: MockServer, tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    debit(server)
    read(server)
    server.snapshot("kept", journal=True).save(file)
    with MockServer(world="empty") as other:
        box = other.sandbox(snapshot=file)
        assert (usdt(box), len(box.journal)) == (LESS, 1)
        assert box.cpg.credentials == server.cpg.credentials
        box.reset()
        assert usdt(box) == FULL
        other.restore(file)
        assert usdt(other) == LESS


def test_an_exported_world_serves_the_same_balances(
    server: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    debit(server)
    server.coinapi.event("exchange_unreachable", id="KRAKEN")
    server.cdp.event("key_revoked", key="es256")
    file = tmp_path / "now.yaml"
    done = run_here(capsys, "export", "--url", server.url)
    assert (done.status, done.stderr) == (0, "")
    file.write_text(done.stdout)
    assert run_here(capsys, "check", str(file)).status == 0
    assert yaml.safe_load(done.stdout)["coinapi"]["unreachable"] == ["BITMEX", "KRAKEN"]
    with MockServer(str(file)) as other:
        for name in discover():
            rows = [repr(row) for row in getattr(server, name).balances()]
            assert [repr(row) for row in getattr(other, name).balances()] == rows
    assert worlds.load(str(file)).parts["cdp"].keys["es256"].revoked


def test_the_command_line_saves_restores_forks_and_exports(
    server: MockServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for row in server._call("GET", "/snapshots")["snapshots"]:  # noqa: SLF001
        Snapshot(row["name"], server._call).delete()  # noqa: SLF001

    def ran(*args: str) -> str:
        done = run_here(capsys, "snapshot", *args, "--url", server.url)
        assert (done.status, done.stderr) == (0, "")
        return done.stdout

    assert ran("save", "before").startswith("before: ")
    debit(server)
    (tmp_path / "less.json").write_text(ran("export"))
    assert ran("list").count("\n") == 1
    ran("restore", "before")
    assert usdt(server) == FULL
    ran("restore", "less.json")
    assert usdt(server) == LESS
    assert ran("fork", "branch").startswith("sandbox branch\n")


def test_the_marker_takes_a_file(
    server: MockServer, pytester: pytest.Pytester, run_in_process: Any
) -> None:
    debit(server)
    server.snapshot().save(pytester.path / "file.json")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.mockserver(snapshot="file.json")
        def test_total(sandbox):
            rows = sandbox.cpg.balances()
            assert [str(row.total) for row in rows if row.venue == "TRX"] == ["150.500000"]

        @pytest.mark.mockserver(snapshot="none.json")
        def test_none(sandbox): ...
        """
    )
    result = run_in_process("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*mockserver: none.json: No such file or directory"])


# Bad documents


def changed(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    rest = {k: v for k, v in (document | members).items() if k != "checksum"}
    return {**rest, "checksum": snapshots._checksum(rest)}  # noqa: SLF001


BAD = {
    "nothing": (lambda d: {}, "this is no snapshot: take one by POST .../snapshots"),
    "a world": (lambda d: {"name": "default"}, "this is no snapshot: take one by"),
    "another version": (lambda d: d | {"version": 9}, "a snapshot of format 9, made by version "),
    "a changed member": (lambda d: d | {"name": "other"}, "the checksum is wrong: the snapshot was changed or cut"),
    "other providers": (lambda d: changed(d, providers=["cdp", "kraken"]), "the snapshot is of the providers cdp, kraken; here are cdp, "),
    "an unknown member": (lambda d: changed(d, more=1), "the snapshot is wrong at "),
    "no state": (lambda d: changed(d, state={}), "the snapshot is wrong at $.state"),
    "an unknown quirk": (lambda d: changed(d, state=d["state"] | {"settings": {"quirks": {"cpg.none": "1"}}}), "no quirk cpg.none"),
    "too many rows": (lambda d: changed(d, state={"x": [{"generate": {"rows": 600_000}}] * 2}), "too many generated rows"),
    "a clock that stands": (lambda d: changed(d, state=d["state"] | {"clock": d["state"]["clock"] | {"rate": "0"}}), "the snapshot is wrong at $.state.clock: no such clock"),
    "a member that is no JSON": (lambda d: {"format": snapshots.FORMAT, "version": 1, "x": object()}, "this is no snapshot: "),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "message"), BAD.values(), ids=BAD)
def test_a_bad_document_is_one_line_and_changes_nothing(
    server: MockServer, damage: Any, message: str
) -> None:
    document = server.snapshot("x").document()
    debit(server)
    for refused in (
        lambda: server.restore(damage(document)),
        lambda: server.sandbox("new", snapshot=damage(document)),
    ):
        with pytest.raises(SettingError) as error:
            refused()
        assert message in str(error.value)
        assert "\n" not in str(error.value)
    assert usdt(server) == LESS
    assert [box.id for box in server.app.sandboxes] == ["default"]


def test_a_document_with_one_changed_byte_is_refused(server: MockServer, tmp_path: Path) -> None:
    debit(server)
    text = json.dumps(server.snapshot("x").document(), separators=(",", ":")).encode()
    chance, file = random.Random(490), tmp_path / "file.json"
    for _ in range(30):
        at = chance.randrange(len(text))
        byte = chance.choice([b for b in b'0aZ"{,' if b != text[at]])
        file.write_bytes(text[:at] + bytes([byte]) + text[at + 1 :])
        with pytest.raises(SettingError) as error:
            server.restore(file)
        assert "\n" not in str(error.value)
    assert usdt(server) == LESS


def test_a_document_of_100_mb_is_not_read(
    server: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "large.json"
    with file.open("wb") as large:
        large.truncate(100_000_000)
    with pytest.raises(FileError, match="larger than 67108864 bytes: no snapshot is"):
        server.restore(file)
    large_state = {"format": snapshots.FORMAT, "version": 1, "state": ["x" * 10**6] * 70}
    with pytest.raises(SettingError, match="a snapshot has at most 67108864 bytes"):
        server.restore(large_state)
    done = run_here(capsys, "snapshot", "restore", str(file), "--url", server.url)
    assert (done.status, done.stderr.count("\n")) == (2, 1)


REFUSED = [
    ("POST", "/snapshots", {"name": "a b"}, 400, "$.name"),
    ("POST", "/restore", {"snapshot": "none"}, 404, "$.snapshot"),
    ("POST", "/restore", {}, 400, "$"),
    ("POST", "/fork", {"id": "default"}, 409, "$.id"),
    ("POST", "/fork", {"id": "a b"}, 400, "$.id"),
    ("POST", "/fork", {"ttl": "100h"}, 400, "$.ttl"),
    ("POST", "/fork", {"snapshot": "none"}, 404, "$.snapshot"),
    ("POST", "/rewind", {"to": 0}, 409, "$.to"),
    ("GET", "/snapshots/none", None, 404, "name"),
    ("DELETE", "/snapshots/none", None, 404, "name"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "at"), REFUSED)
def test_a_wrong_call_says_where(
    server: MockServer, method: str, path: str, body: Any, status: int, at: str
) -> None:
    refused = ControlClient(server.url).refused(method, "/sandboxes/default" + path, body)
    assert (refused[0], refused[2]) == (status, at)


def test_a_snapshot_has_its_own_settings(server: MockServer) -> None:
    document = server.snapshot("x").document()
    with pytest.raises(ControlError, match="a snapshot has its own settings: give ttl alone"):
        server.sandbox("new", snapshot=document, seed=1)


def test_snapshots_are_bounded(server: MockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_shelf, "SNAPSHOTS_MAX", 2)
    box = server.sandbox()
    first, *_ = [box.snapshot("a"), box.snapshot("a"), box.snapshot("b")]
    with pytest.raises(ControlError, match="a sandbox has at most 2 snapshots: delete one"):
        box.snapshot("c")
    first.delete()
    monkeypatch.setattr(SandboxState, "size", 100_000_000)
    box.snapshot("c")
    with pytest.raises(ControlError, match="snapshots take half the memory budget already"):
        box.snapshot("b")
    server.drop(box)
    assert server.app.sandboxes.budget.used < 100_000_000
    assert isinstance(server.sandbox().snapshot(), Snapshot)


# One moment

SENDERS, SENT = 8, 12


def test_a_snapshot_during_traffic_is_one_moment(server: MockServer) -> None:
    """In each the amount that is held is that of the withdrawals in it."""
    box = server.sandbox(limits="off", quirks={"cpg.confirm_after": "off"})
    sandbox = server.app.sandboxes.get(box.id)

    def send(sender: int) -> None:
        with box.cpg.client() as client:
            for n in range(SENT):
                order = {
                    "currency": "USDT",
                    "network": "TRX",
                    "to_address": "Trecipient0",
                    "amount": "5",
                }
                order["client_reference"] = f"{sender}-{n}"
                client.post("/v1/withdrawals", json=order)

    senders = [threading.Thread(target=send, args=(n,)) for n in range(SENDERS)]
    for sender in senders:
        sender.start()
    states = [sandbox.state()]
    while any(sender.is_alive() for sender in senders):
        states.append(sandbox.state())
        senders[len(states) % SENDERS].join(0.001)
    states.append(sandbox.state())
    counts = {held_is_what_was_sent(state) for state in states}
    assert len(counts) > 2, "taken while requests came"
    fork = box.fork()
    assert len(server.app.sandboxes.get(fork.id).states["cpg"].ledger.records["withdrawal"]) == max(
        counts
    )


def held_is_what_was_sent(state: SandboxState) -> int:
    ledger = state.providers["cpg"].ledger
    withdrawals = ledger.records.get("withdrawal", {}).values()
    row = ledger.accounts["main"].rows["USDT", "TRX"]
    assert row.held == sum(withdrawal.hold for withdrawal in withdrawals)
    assert state.providers["cpg"].count >= len(withdrawals)
    return len(withdrawals)
