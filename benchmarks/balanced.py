"""What a balancer costs, and a scrape of the metrics: ``python -m benchmarks.balanced``.

The same signed requests go to a process directly and through HAProxy; the figures are the CPU of
our own process, and HAProxy's beside it.
"""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import tree
from benchmarks.sandboxes import Figure
from benchmarks.subject import ROOT
from mockserver import MockServer
from mockserver.client.remote import RemoteServer

REQUESTS = 4_000
ROUNDS = 5
SANDBOXES = 2_000
SCRAPES = 20
SERVE = (sys.executable, "-m", "mockserver", "serve", "--port", "0", "--json", "--limits", "off")


def figures() -> Iterator[Figure]:
    """Measures all of them."""
    with _cluster() as (balanced, direct, process, balancer):
        ours: dict[str, list[float]] = {"direct": [], "balanced": []}
        theirs = []
        for _ in range(ROUNDS):
            for name, url in (("direct", direct), ("balanced", balanced)):
                before, beside = tree.cpu(process), tree.cpu(balancer)
                _read(url)
                ours[name].append((tree.cpu(process) - before) / REQUESTS * 1e6)
                if name == "balanced":
                    theirs.append((tree.cpu(balancer) - beside) / REQUESTS * 1e6)
        ratio = min(ours["balanced"]) / min(ours["direct"])
        yield Figure("CPU of a request behind HAProxy, to direct", ratio, "times", 1.1)
        yield Figure("HAProxy's own CPU for a request", min(theirs), "us", 1_000)
    yield Figure(f"CPU of a scrape, {SANDBOXES:,} sandboxes", _scrape(), "ms", 100)


@contextlib.contextmanager
def _cluster() -> Iterator[tuple[str, str, int, int]]:
    """Yields a sandbox's URL through HAProxy and directly, its process and HAProxy's."""
    command = [*SERVE, "--processes", "2"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        try:
            gateway = json.loads(parent.stdout.readline())["gateway"]  # type: ignore[union-attr]
            coinapi = RemoteServer(gateway).sandbox("bench", limits="off").coinapi
            key = coinapi.credentials["api_key"]
            owner = str(urlsplit(coinapi.direct_url).port or "")
            children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
            words = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
            base = b"\0%d\0" % (int(owner) - int(owner) % 100)
            process = next(pid for pid, line in words.items() if base in line)
            balancer = next(pid for pid, line in words.items() if b"haproxy" in line)
            yield f"{coinapi.base_url}#{key}", f"{coinapi.direct_url}#{key}", process, balancer
        finally:
            parent.send_signal(signal.SIGTERM)


def _read(url: str) -> None:
    where = urlsplit(url)
    client = http.client.HTTPConnection(where.netloc, timeout=60)
    with contextlib.closing(client):
        for _ in range(REQUESTS):
            headers = {"X-CoinAPI-Key": where.fragment}
            client.request("GET", f"{where.path}/v1/balances", headers=headers)
            response = client.getresponse()
            if response.status != 200 or not response.read():
                raise RuntimeError(f"{url}: {response.status}")


def _scrape() -> float:
    """Returns the milliseconds of CPU of one scrape."""
    with MockServer(max_sandboxes=SANDBOXES + 1) as server:
        for _ in range(SANDBOXES):
            server.sandbox()
        began = time.process_time()
        client = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        with contextlib.closing(client):
            for _ in range(SCRAPES):
                client.request("GET", "/metrics")
                client.getresponse().read()
        return (time.process_time() - began) / SCRAPES * 1000


def main() -> None:
    """Prints the figures."""
    os.environ.setdefault("PYTHONPATH", str(ROOT))
    for figure in figures():
        print(f"{figure.value:8.2f} {figure.unit:<6}at most {figure.most:<8}{figure.name}")


if __name__ == "__main__":
    main()
