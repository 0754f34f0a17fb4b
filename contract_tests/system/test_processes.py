"""Several processes behind HAProxy: agreement on owners, a killed process, clients and faults."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from contract_tests.support.tools import find_tool
from mockserver.client.remote import RemoteServer
from mockserver.providers import discover
from mockserver.tools.balancer import haproxy_config

IDS = 600
REQUESTS = 10_000
SERVE = (sys.executable, "-m", "mockserver", "serve", "--port", "0", "--json")


class Cluster:
    """Processes behind a balancer."""

    def __init__(self, running: "subprocess.Popen[str]") -> None:
        self.running = running
        self.summary: dict[str, Any] = json.loads(running.stdout.readline())
        self.gateway: str = self.summary["gateway"]
        self.netloc = urlsplit(self.gateway).netloc
        self.remote = RemoteServer(self.gateway)

    def processes(self) -> list[int]:
        """Returns the ids of the processes, without the balancer's."""
        children = Path(f"/proc/{self.running.pid}/task/{self.running.pid}/children")
        pids = map(int, children.read_text().split())
        return [pid for pid in pids if b"mockserver" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def kill(self, netloc: str) -> None:
        """Kills the process that serves an address, a provider's or the gateway's."""
        port = int(netloc.rpartition(":")[2])
        base = f"\0{port - port % 100}\0".encode()
        for pid in self.processes():
            if base in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)


def serving(count: int) -> Iterator[Cluster]:
    find_tool("haproxy")
    command = [*SERVE, "--processes", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield Cluster(running)
        finally:
            running.send_signal(signal.SIGTERM)
            assert running.wait(30) == 0


@pytest.fixture(scope="module", params=[2, 4])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    yield from serving(request.param)


def owner(url: str) -> str:
    return urlsplit(url).netloc


def test_all_forms_of_url_lead_to_the_owner(cluster: Cluster) -> None:
    owners: Counter[str] = Counter()
    with requests.Session() as session:
        for n in range(IDS):
            call = f"{cluster.gateway}/__admin/sandboxes/box-{n}"
            coinapi = session.put(call, json={}, timeout=30).json()["providers"]["coinapi"]
            owners[owner(coinapi["direct_url"])] += 1
            headers = {"X-CoinAPI-Key": coinapi["credentials"]["api_key"]}
            path = f"/~box-{n}/v1/balances"
            for target, host in ((f"/coinapi{path}", cluster.netloc), (path, "coinapi.localhost")):
                url, named = cluster.gateway + target, headers | {"Host": host}
                assert session.get(url, headers=named, timeout=30).status_code == 200, (n, target)
            assert session.get(call, timeout=30).json()["id"] == f"box-{n}"
    assert len(owners) == len(cluster.processes())
    assert min(owners.values()) > IDS / len(owners) / 3, owners


def test_a_killed_process_takes_only_its_own_sandboxes() -> None:
    with contextlib.contextmanager(serving)(4) as cluster:
        boxes = [cluster.remote.sandbox(f"kill-{n}") for n in range(64)]
        victim = owner(boxes[0].coinapi.direct_url)
        others = [box for box in boxes if owner(box.coinapi.direct_url) != victim]
        assert len(others) < len(boxes)
        wrong: list[Any] = []
        answered: list[int] = []

        def ask(part: int) -> None:
            with contextlib.closing(
                http.client.HTTPConnection(cluster.netloc, timeout=30)
            ) as client:
                for n in range(REQUESTS // 4):
                    box = others[(n + part) % len(others)]
                    headers = {"X-CoinAPI-Key": box.coinapi.credentials["api_key"]}
                    client.request("GET", f"/coinapi/~{box.id}/v1/balances", headers=headers)
                    response = client.getresponse()
                    body = response.read()
                    if response.status != 200:
                        wrong.append((response.status, body))
                    answered.append(n)

        threads = [threading.Thread(target=ask, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        while len(answered) < REQUESTS // 10 and any(thread.is_alive() for thread in threads):
            threading.Event().wait(0.01)
        cluster.kill(victim)
        for thread in threads:
            thread.join()
        assert (len(answered), wrong) == (REQUESTS, [])
        gone = requests.get(f"{cluster.gateway}/coinapi/~{boxes[0].id}/v1/balances", timeout=30)
        assert (gone.status_code, boxes[0].id in gone.text) == (404, True)


def test_signed_reads_pages_and_withdrawals_pass_through(cluster: Cluster) -> None:
    sandbox = cluster.remote.sandbox("through", quirks={"cpg.replay": "off"})
    for name in discover():
        handle = getattr(sandbox, name)
        provider = handle.provider
        draft = handle.auth.example(handle.base_url)
        url = f"http://{cluster.netloc}{draft.target.decode()}"
        headers = {key.decode(): value.decode() for key, value in draft.headers}
        response = requests.request(
            draft.method, url, data=draft.body or None, headers=headers, timeout=30
        )
        assert response.status_code == 200, (provider.name, response.text)
    account = sandbox.cdp.credentials["accounts"]["main"]
    url: str | None = f"{sandbox.cdp.base_url}/v2/accounts/{account}/balances?pageSize=2"
    first = requests.get(str(url), auth=sandbox.cdp.auth, timeout=30).json()
    rest = requests.get(
        f"{url}&pageToken={first['nextPageToken']}", auth=sandbox.cdp.auth, timeout=30
    )
    assert (len(first["balances"]), rest.status_code) == (2, 200)
    order = {"currency": "USDT", "network": "ETH", "amount": "10", "to_address": "0x" + "1" * 40}
    sent = requests.post(
        f"{sandbox.cpg.base_url}/v1/withdrawals", json=order, auth=sandbox.cpg.auth, timeout=30
    )
    assert sent.status_code == 200
    sandbox.verify(provider="cpg", operation="balances", exactly=1)


SUITE = """
import pytest, requests

@pytest.mark.parametrize("n", range(24))
def test_own_balance(sandbox, n):
    sandbox.cpg.set_balance("main", "USDT", "ETH", total=f"{n}.5")
    url = f"{sandbox.cpg.base_url}/v1/balances?currency=USDT&network=ETH"
    rows = requests.get(url, auth=sandbox.cpg.auth, timeout=30).json()["data"]
    assert rows[0]["balance"].rstrip("0") == f"{n}.5"
    sandbox.coinapi.fail(deliver={"reset": "before"})
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{sandbox.coinapi.base_url}/v1/balances", timeout=30)
    sandbox.verify(provider="cpg", operation="balances", exactly=1)
"""


def test_the_plugin_with_four_workers_shares_the_processes(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "4", "-p", "no:cacheprovider"]
    environment = os.environ | {"MOCKSERVER_URL": cluster.gateway}
    ran = subprocess.run(
        command,
        check=False,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "24 passed" in ran.stdout, ran.stdout


# What HAProxy turns into a 502; docs/guides/many-processes.md has the table.
@pytest.mark.parametrize("deliver", [{"reset": "before"}, {"close": True}], ids=str)
def test_an_ended_connection_needs_the_direct_url(
    cluster: Cluster, deliver: dict[str, Any]
) -> None:
    sandbox = cluster.remote.sandbox("faulty")
    balanced = sandbox.coinapi.base_url
    sandbox.coinapi.fail(deliver=deliver, times=2)
    headers = {"X-CoinAPI-Key": sandbox.coinapi.credentials["api_key"]}
    assert requests.get(f"{balanced}/v1/balances", headers=headers, timeout=30).status_code == 502
    assert sandbox.coinapi.base_url == sandbox.coinapi.direct_url
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{sandbox.coinapi.base_url}/v1/balances", headers=headers, timeout=30)


def test_the_client_address_passes_through(cluster: Cluster) -> None:
    sandbox = cluster.remote.sandbox("address")
    url = f"{sandbox.cpg.base_url}/v1/balances"
    headers = {"X-Forwarded-For": "203.0.113.7"}  # of the whitelist, but HAProxy adds the real one
    response = requests.get(url, auth=sandbox.cpg.auth_as("ip_locked"), headers=headers, timeout=30)
    assert response.status_code == 403


def test_the_shipped_configuration_is_the_generated_one_and_valid(tmp_path: Path) -> None:
    providers = discover()
    shipped = Path(__file__).parents[2] / "deploy/haproxy.cfg"
    ports = {"gateway": 8490} | {name: 8490 + p.port for name, p in providers.items()}
    fronts = {name: f":{port}" for name, port in ports.items()}
    processes = [{name: f"mockserver-{n}:{port}" for name, port in ports.items()} for n in range(4)]
    assert shipped.read_text() == haproxy_config(fronts, processes, providers.values())
    valid = shipped.read_text().replace(" mockserver-", " 127.0.0.1:1 #")
    here = tmp_path / "haproxy.cfg"
    here.write_text(valid)
    subprocess.run([find_tool("haproxy"), "-c", "-q", "-f", str(here)], check=True, timeout=60)
