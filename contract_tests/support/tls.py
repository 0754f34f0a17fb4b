"""Clients that speak TLS: raw ones, and real ones in processes of their own."""

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from contract_tests.clients.senders import DEADLINE, tool

CLIENTS = Path(__file__).parents[1] / "clients"
PYTHON = ("requests", "httpx", "aiohttp", "urllib3")
Request = dict[str, Any]  # url, headers
Result = dict[str, Any]  # status and body, or error


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment in which nothing but these variables concerns TLS and proxies."""
    names = {"NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    kept = {k: v for k, v in os.environ.items() if k.upper() not in names and "MOCKSERVER" not in k}
    return kept | dict(variables)


def dial(url: str, trust: str, name: str | None = None, **settings: Any) -> ssl.SSLSocket:
    """Connects by TLS to a URL's address; ``name`` is that of the SNI, "" for none."""
    context = ssl.create_default_context(cafile=trust)
    for setting, value in settings.items():
        getattr(context, setting)(value)
    address = urlsplit(url)
    context.check_hostname = name != ""
    raw = socket.create_connection((address.hostname, address.port), DEADLINE)
    try:
        server = address.hostname if name is None else name or None
        return context.wrap_socket(raw, server_hostname=server, suppress_ragged_eofs=False)
    except BaseException:
        raw.close()
        raise


def probe(client: str, requests: Sequence[Request], variables: Mapping[str, str]) -> list[Result]:
    """Lets a client make requests at once, and returns what it made of each."""
    return probe_all([client], requests, variables)[client]


def probe_all(
    clients: Sequence[str], requests: Sequence[Request], variables: Mapping[str, str]
) -> dict[str, list[Result]]:
    """Lets clients make requests at once, and returns what each made of each."""
    env = environment(variables)
    python = [client for client in clients if client in PYTHON]
    with ThreadPoolExecutor(8) as pool:
        jobs = []
        if python:
            command = [sys.executable, str(CLIENTS / "tls_probe.py")]
            jobs.append(pool.submit(_run, command, python, requests, env))
        if "node" in clients:
            command = [tool("node"), str(CLIENTS / "tls_probe.mjs")]
            jobs.append(pool.submit(_run, command, ["node"], requests, env))
        curl = [pool.submit(_curl, **request, env=env) for request in requests if "curl" in clients]
        found: dict[str, list[Result]] = {"curl": [job.result() for job in curl]}
        for job in jobs:
            found |= job.result()
    return {client: found[client] for client in clients}


def _run(
    command: list[str], clients: list[str], requests: Sequence[Request], env: Mapping[str, str]
) -> dict[str, list[Result]]:
    order = json.dumps({"clients": clients, "requests": requests})
    done = subprocess.run(
        command,
        input=order,
        capture_output=True,
        text=True,
        env=env,
        timeout=4 * DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _curl(url: str, headers: Mapping[str, str], env: Mapping[str, str]) -> Result:
    command = [
        tool("curl"),
        "-q",
        "-sS",
        "--max-time",
        str(DEADLINE),
        "-w",
        "%{stderr}%{http_code}",
    ]
    command += [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    done = subprocess.run([*command, url], capture_output=True, env=env, check=False)
    words = done.stderr.decode()
    if done.returncode:
        first = next(line for line in words.splitlines() if line.startswith("curl:"))
        return {"error": first.removeprefix("curl: ")}
    return {"status": int(words), "body": done.stdout.decode("latin-1")}
