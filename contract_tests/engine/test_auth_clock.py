"""The auth clock set to an instant, or following the time of the test's own process."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import httpx
import pytest

from mockserver import Auth, MockServer, Sandbox, control
from mockserver.client.process_clock import process_time
from mockserver.client.remote import RemoteServer
from mockserver.errors import SettingError

THEN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2031, 5, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces ``time.time`` as libraries that freeze the time of a test do."""
    monkeypatch.setattr(time, "time", THEN.timestamp)


def status(sandbox: Sandbox, now: Callable[[], int] = process_time) -> int:
    """Sends a read that is signed with a time of this process, by a client of one's own."""
    auth = Auth("cpg", sandbox.cpg.credentials, now)
    url = f"{sandbox.cpg.base_url}/v1/balances?n={len(sandbox.journal)}"
    with httpx.Client(auth=auth, trust_env=False) as client:
        return client.get(url).status_code


def read(sandbox: Sandbox) -> int:
    """Sends a read by the client that comes with the sandbox."""
    with sandbox.cpg.client() as client:
        return client.get("/v1/balances").status_code


def test_by_default_the_auth_clock_is_the_machines(running: MockServer, frozen: None) -> None:
    sandbox = running.sandbox()
    assert status(sandbox) == 401
    assert read(sandbox) == 200
    assert sandbox.journal[0].reason == "outside_window"


def test_it_follows_the_process_where_a_sandbox_says_so(running: MockServer, frozen: None) -> None:
    sandbox = running.sandbox(auth_clock="process")
    assert (status(sandbox), read(sandbox)) == (200, 200)
    assert sandbox.clock.auth_now == THEN
    assert sandbox.clock.now > THEN
    sandbox.reset()
    assert status(sandbox) == 200


def test_it_follows_the_process_in_every_sandbox_of_a_server(frozen: None) -> None:
    with MockServer(auth_clock="process") as server:
        own = server.sandbox()
        machine = server.sandbox(auth_clock="machine")
        assert [status(box) for box in (server, own, machine)] == [200, 200, 401]


@pytest.mark.parametrize("where", ["in process", "remote"])
def test_it_is_set_to_an_instant_also_backwards(running: MockServer, where: str) -> None:
    face = running if where == "in process" else RemoteServer(running.url)
    sandbox = face.sandbox()
    for instant in (LATER, THEN, "2026-01-01T00:00:00Z"):
        sandbox.clock.skew_to(instant)
        expected = LATER if instant is LATER else THEN
        passed = sandbox.clock.auth_now - expected
        assert 0 <= passed.total_seconds() < 30
        assert status(sandbox, (int(expected.timestamp()) * 10**9).__int__) == 200
    assert status(sandbox) == 401
    with pytest.raises(SettingError, match="has no offset"):
        sandbox.clock.skew_to(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the mistake


def test_a_server_in_another_process_names_what_works_there(running: MockServer) -> None:
    remote = RemoteServer(running.url)
    with pytest.raises(SettingError, match=r"needs a server in this process: call clock.skew_to"):
        remote.sandbox(auth_clock="process")
    for server in (running, remote):
        with pytest.raises(SettingError, match=r"no auth_clock proces: .*did you mean process"):
            server.sandbox(auth_clock="proces")
    with pytest.raises(SettingError, match="did you mean machine"):
        MockServer(auth_clock="machin")


def test_skew_and_an_instant_exclude_each_other(running: MockServer) -> None:
    steer_clock = partial(control.call, running.app, "POST", "/sandboxes/default/clock")
    with pytest.raises(SettingError, match="skew and auth_time both set the auth clock"):
        steer_clock({"skew": 1, "auth_time": "2026-01-01T00:00:00Z"})
