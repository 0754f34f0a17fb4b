"""``mockserver serve --processes N``: N processes on this machine behind an installed HAProxy."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from mockserver.errors import PortInUse
from mockserver.http import server
from mockserver.model.provider import Provider
from mockserver.tools.balancer import INSTALL, haproxy_config

STEP = 100  # between the gateways' ports of two processes
LOOK = 0.5  # seconds between two looks at the processes
STOP_WITHIN = 5.0  # seconds
FREE = range(20_000, 60_000, 1_000)  # where to look for ports when any free ones will do


def find_haproxy() -> str:
    """Returns the path of HAProxy; raises ClickException that says how to install it."""
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    found = shutil.which("haproxy", path=path)
    if found is None:
        raise click.ClickException(f"--processes needs HAProxy: {INSTALL}")
    return found


class Process:
    """One process: what starts it, and its first line when it is ready."""

    def __init__(self, n: int, port: int, front: str) -> None:
        self.n = n
        self.port = port
        own = f"http://127.0.0.1:{port}"
        overrides = ["--processes", "1", "--host", "127.0.0.1", "--port", str(port), "--json"]
        overrides += ["--advertise", own, "--public-url", front, "--trusted-proxy", "127.0.0.1"]
        self._command = [sys.executable, "-m", "mockserver", *sys.argv[1:], *overrides]
        self.running = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves

    def ready(self) -> dict[str, Any]:
        """Waits for the process; raises ClickException when it does not start."""
        line = self.running.stdout.readline() if self.running.stdout else ""
        if not line:
            raise click.ClickException(f"process {self.n} did not start")
        summary: dict[str, Any] = json.loads(line)
        return summary

    def restart_if_ended(self) -> None:
        """Starts the process again when it has ended: its sandboxes are gone."""
        status = self.running.poll()
        if status is not None:
            click.echo(f"process {self.n} ended with {status}: its sandboxes are gone", err=True)
            self.running = self._start()

    def stop(self) -> None:
        """Stops the process."""
        self.running.terminate()
        try:
            self.running.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.running.kill()


def serve(count: int, host: str, port: int, providers: Mapping[str, Provider], show: Any) -> None:
    """Serves until stopped; ``show`` is called with the first process's summary when ready."""
    haproxy = find_haproxy()
    sockets = server.bind(host, port, providers)
    fronts = {name: _address(sock) for name, sock in sockets.items()}
    shown = {"0.0.0.0": "127.0.0.1"}.get(host, host)  # noqa: S104 - shown, not bound
    front = f"http://{shown}:{fronts[server.GATEWAY].rpartition(':')[2]}"
    bases = _bases(count, sockets[server.GATEWAY].getsockname()[1], providers, free=port == 0)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with contextlib.ExitStack() as stack:
        started = []
        for n, base in enumerate(bases, 1):
            started.append(Process(n, base, front))
            stack.callback(started[-1].stop)
        summaries = [process.ready() for process in started]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config, log = folder / "haproxy.cfg", folder / "haproxy.log"
        backends = [_backend(base, providers) for base in bases]
        config.write_text(haproxy_config(fronts, backends, providers.values()), encoding="utf-8")
        for sock in sockets.values():
            sock.close()
        with log.open("w") as file:
            balancer = subprocess.Popen([haproxy, "-db", "-f", str(config)], stderr=file)  # noqa: S603
        stack.callback(balancer.wait)
        stack.callback(balancer.terminate)
        _wait_for(fronts[server.GATEWAY], balancer, log)
        show(summaries[0])
        while not stopped.wait(LOOK):
            if balancer.poll() is not None:
                raise _ended(balancer, log)
            for process in started:
                process.restart_if_ended()


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _backend(base: int, providers: Mapping[str, Provider]) -> dict[str, str]:
    ports = {server.GATEWAY: base} | {name: base + p.port for name, p in providers.items()}
    return {name: f"127.0.0.1:{port}" for name, port in ports.items()}


def _bases(
    count: int, gateway: int, providers: Mapping[str, Provider], *, free: bool
) -> Sequence[int]:
    """Returns the gateways' ports of the processes; raises ClickException for ports in use."""
    for first in FREE if free else [gateway + STEP]:
        bases = [first + STEP * n for n in range(count)]
        try:
            for base in bases:
                for sock in server.bind("127.0.0.1", base, providers).values():
                    sock.close()
        except PortInUse as error:
            taken = error
        else:
            return bases
    raise click.ClickException(str(taken))


def _ended(balancer: "subprocess.Popen[bytes]", log: Path) -> click.ClickException:
    alerts = [line for line in log.read_text(errors="replace").splitlines() if "ALERT" in line]
    return click.ClickException(f"HAProxy ended with {balancer.returncode}: {' '.join(alerts)}")


def _wait_for(address: str, balancer: "subprocess.Popen[bytes]", log: Path) -> None:
    """Waits until the balancer answers; raises ClickException when it has ended instead."""
    url = urlsplit(f"//{address}")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(url.hostname), str(url.hostname))  # noqa: S104
    while balancer.poll() is None:
        client = http.client.HTTPConnection(host, url.port, timeout=STOP_WITHIN)
        with contextlib.closing(client), contextlib.suppress(OSError, http.client.HTTPException):
            client.request("GET", "/healthz")
            if client.getresponse().status == HTTPStatus.OK:
                return
        threading.Event().wait(LOOK / 10)
    raise _ended(balancer, log)
