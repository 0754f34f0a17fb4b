"""What sandboxes, providers and credentials offer in Python, in process and remote."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mockserver import Balance, Clock, JournalEntry, MockServer, ProviderHandle, Sandbox
from mockserver.client.remote import RemoteServer
from mockserver.errors import SettingError


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


@pytest.fixture(params=["in process", "remote"])
def sandbox(request: pytest.FixtureRequest, running: MockServer) -> Sandbox:
    face = running if request.param == "in process" else RemoteServer(running.url)
    return face.sandbox("mine")


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
    wrong: Any = 1.5
    with pytest.raises(ValueError, match="an amount is a quoted string"):
        sandbox.coinw.credit("main", "BTC", wrong)
