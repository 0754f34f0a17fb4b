"""``GET /metrics``: counters that outlive sandboxes, and no label with a sandbox, key or path."""

import re
import sys
from collections.abc import Iterator

import pytest
import requests

from mockserver import MockServer

pytest.importorskip("prometheus_client")
SAMPLE = re.compile(r"^mockserver_(\w+?)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


@pytest.fixture
def server() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


def scrape(server: MockServer) -> dict[tuple[str, str], float]:
    response = requests.get(f"{server.url}/metrics", timeout=30)
    assert response.status_code == 200
    return {(name, labels): float(value) for name, labels, value in SAMPLE.findall(response.text)}


def refused(server: MockServer) -> float:
    labels = 'operation="listBalances",provider="cpg",reason="missing_credential",status="401"'
    return scrape(server).get(("requests_total", labels), 0.0)


def restore(server: MockServer) -> None:
    sandbox = server.app.sandboxes.get("one")
    with sandbox.lock:
        sandbox.journal.counts.restore(sandbox.before)


WAYS_TO_FORGET = {
    "clear the journal": lambda server, sandbox: sandbox.clear_journal(),
    "reset": lambda server, sandbox: sandbox.reset(),
    "delete the sandbox": lambda server, sandbox: server.drop(sandbox),
    "restore a snapshot": lambda server, sandbox: restore(server),
    "make it anew": lambda server, sandbox: server.sandbox(sandbox.id),
}


@pytest.mark.parametrize("forget", WAYS_TO_FORGET)
def test_a_counter_never_falls(server: MockServer, forget: str) -> None:
    sandbox = server.sandbox("one")
    server.app.sandboxes.get("one").before = server.app.sandboxes.get("one").journal.counts.state()
    for _ in range(3):
        requests.get(f"{sandbox.cpg.base_url}/v1/balances", timeout=30)
    assert refused(server) == 3
    WAYS_TO_FORGET[forget](server, sandbox)
    assert refused(server) == 3


def test_faults_are_counted_and_nothing_that_a_client_chooses_is_a_label(
    server: MockServer,
) -> None:
    sandbox = server.sandbox("secret-name")
    sandbox.coinapi.fail(answer={"status": 500}, requests="1-2")
    for _ in range(3):
        requests.get(f"{sandbox.coinapi.base_url}/v1/balances?secret=path", timeout=30)
    server.drop(sandbox)
    assert scrape(server)["faults_total", ""] == 2
    another = server.sandbox()
    another.coinapi.fail(answer={"status": 500})
    requests.get(f"{another.coinapi.base_url}/v1/balances", timeout=30)
    server.drop(another)
    samples = scrape(server)
    assert samples["faults_total", ""] == 3
    names = {name for _, labels in samples for name in re.findall(r"(\w+)=", labels)}
    assert names == {"provider", "operation", "status", "reason"}
    assert "secret" not in str(samples)


def test_metrics_ask_for_the_admin_token() -> None:
    with MockServer(admin_token="sesame") as server:
        url = f"{server.url}/metrics"
        assert requests.get(url, timeout=30).status_code == 401
        headers = {"Authorization": "Bearer sesame"}
        assert requests.get(url, headers=headers, timeout=30).status_code == 200


def test_a_missing_library_is_named(server: MockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    response = requests.get(f"{server.url}/metrics", timeout=30)
    assert (response.status_code, response.text) == (
        501,
        "/metrics needs prometheus-client: pip install 'exchange-mockserver[metrics]'\n",
    )
