"""The journal marks requests that should have waited."""

import http.client
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mockserver import MockServer, Sandbox

NO_REPLAY = {"cpg.replay": "off"}


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(quirks=NO_REPLAY) as server:
        yield server


@pytest.fixture
def sandbox(running: MockServer) -> Sandbox:
    sandbox = running.sandbox()
    sandbox.clock.freeze()
    return sandbox


def read(sandbox: Sandbox, label: str = "main", path: str = "/v1/balances") -> int:
    with sandbox.cpg.client(label) as client:
        return client.get(path).status_code


def notes(sandbox: Sandbox) -> list[str]:
    """The notes on what the client did wrong, without those on how it signed."""
    marked = (entry.note.partition("; ")[0] for entry in sandbox.journal)
    return [note if note.startswith("client: ") else "" for note in marked]


def test_a_retry_before_retry_after_has_passed_is_marked(sandbox: Sandbox) -> None:
    sandbox.cpg.fail(status=503, headers={"Retry-After": "30"}, times=1)
    assert read(sandbox) == 503
    sandbox.sleep(10)
    assert read(sandbox) == 200
    sandbox.sleep(20)
    assert read(sandbox) == 200
    early = "client: retried 20.0 s too early, after request 1 met Retry-After: 30"
    assert notes(sandbox) == ["", early, ""]


def test_requests_into_a_full_limit_are_marked_and_counted(sandbox: Sandbox) -> None:
    sandbox.set_limits({"cpg.key": "1/60s"})
    sandbox.clock.set("2040-01-01T00:00:50Z")
    assert [read(sandbox) for _ in range(6)] == [200, 429, 429, 429, 429, 429]
    retried = "client: retried 10.0 s too early, after request 2 met a full limit"
    hammers = [
        f"client: hammers a limit, {n} requests too early since request 2 met a full limit,"
        " 10.0 s are left"
        for n in (3, 4)
    ]
    assert notes(sandbox) == ["", "", retried, retried, *hammers]
    sandbox.sleep(10)
    assert (read(sandbox), notes(sandbox)[-1]) == (200, "")


def test_only_the_caller_that_was_refused_has_to_wait(sandbox: Sandbox) -> None:
    sandbox.cpg.fail(reject="rate_limited", operation="balances", times=1)
    assert read(sandbox) == 429
    assert [read(sandbox, "empty"), read(sandbox, path="/v1/withdrawals/7")] == [200, 404]
    assert notes(sandbox) == ["", "", ""]


def test_a_client_without_a_credential_is_known_by_its_address(sandbox: Sandbox) -> None:
    sandbox.coinapi.fail(status=429, headers={"retry-after": "5"}, times=1)
    host, _, path = sandbox.coinapi.base_url.removeprefix("http://").partition("/")
    for _ in range(2):
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request("GET", f"/{path}/v1/balances")
        connection.getresponse().read()
        connection.close()
    assert notes(sandbox)[1].startswith("client: retried 5.0 s too early")


FORGETS: dict[str, Callable[[Sandbox], Any]] = {
    "a reset": lambda s: s.reset(),
    "an advance": lambda s: s.sleep("61s"),
}


@pytest.mark.parametrize("forget", FORGETS.values(), ids=FORGETS)
def test_nothing_is_marked_after(sandbox: Sandbox, forget: Callable[[Sandbox], Any]) -> None:
    sandbox.cpg.fail(status=429, headers={"retry-after": "60"}, times=1)
    assert read(sandbox) == 429
    forget(sandbox)
    assert read(sandbox) == 200
    assert notes(sandbox)[-1] == ""


def test_a_retry_after_that_is_no_number_of_seconds_says_nothing(sandbox: Sandbox) -> None:
    for text in ("Wed, 21 Oct 2015 07:28:00 GMT", "-1", "1.5", "9" * 40):
        sandbox.cpg.fail("it", status=503, headers={"retry-after": text}, times=1)
        assert [read(sandbox), read(sandbox)] == [503, 200]
    assert not any(notes(sandbox))


@pytest.mark.parametrize("provider", ["cpg", "cdp"])
def test_a_limit_that_only_a_rule_made_asks_for_no_wait(sandbox: Sandbox, provider: str) -> None:
    handle = getattr(sandbox, provider)
    handle.fail(reject="rate_limited", times=1)
    path = {"cpg": "/v1/balances", "cdp": "/v2/accounts"}[provider]
    with handle.client() as client:
        statuses = [client.get(path).status_code for _ in range(2)]
    assert (statuses[0], notes(sandbox)) == (429, ["", ""])
