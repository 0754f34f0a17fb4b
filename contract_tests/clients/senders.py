"""One sender for each real client, and one for bytes written by hand.

Every client encodes a URL in its own way, so each sender lets its client prepare
the request, signs the target that will really be transmitted, and sends. None
follows the environment's proxies.
"""

import asyncio
import atexit
import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import httpx
import pytest
import requests
import urllib3
from yarl import URL

from contract_tests.support.raw import wire
from mockserver import Auth
from mockserver.client.provider import ProviderHandle
from mockserver.model.http import UnsignedRequest

DEADLINE = 30  # seconds, for each wait on a socket or a process

SCRIPT = Path(__file__).with_name("send.mjs")


class Sent(NamedTuple):
    """An answer, and the request target that was transmitted for it."""

    status: int
    headers: dict[str, str]
    body: bytes
    target: str


def tool(name: str) -> str:
    """Returns where a program lies; a test that lacks it is skipped, on CI it fails."""
    found = shutil.which(name)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return found


def typed(body: bytes) -> dict[str, str]:
    """Returns the headers of a body; without one there are none."""
    return {"Content-Type": "application/json"} if body else {}


def signed(
    handle: ProviderHandle, method: str, base_url: str, target: str, body: bytes
) -> UnsignedRequest:
    """Signs a target as its client writes it, with what lies behind the base URL's host."""
    return handle.auth.sign(method, target, body, urlsplit(base_url).netloc, typed(body))


def texts(draft: UnsignedRequest) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in draft.headers}


def origin(base_url: str) -> str:
    return urlsplit(base_url)._replace(path="").geturl()


def by_requests(
    base_url: str, method: str, target: str, body: bytes, handle: ProviderHandle
) -> Sent:
    with requests.Session() as session:
        session.trust_env = False
        ask = requests.Request(
            method, base_url + target, data=body, headers=typed(body), auth=handle.auth
        )
        prepared = session.prepare_request(ask)
        answer = session.send(prepared, timeout=DEADLINE)
    return Sent(answer.status_code, _lower(answer.headers), answer.content, prepared.path_url)


def by_httpx(base_url: str, method: str, target: str, body: bytes, handle: ProviderHandle) -> Sent:
    with httpx.Client(trust_env=False, timeout=DEADLINE) as client:
        answer = client.request(
            method, base_url + target, content=body, headers=typed(body), auth=handle.auth
        )
    sent = answer.request.url.raw_path.decode()
    return Sent(answer.status_code, _lower(answer.headers), answer.content, sent)


def by_aiohttp(
    base_url: str, method: str, target: str, body: bytes, handle: ProviderHandle
) -> Sent:
    async def send() -> Sent:
        draft = signed(handle, method, base_url, URL(base_url + target).raw_path_qs, body)
        url = URL(origin(base_url) + draft.target.decode(), encoded=True)
        timeout = aiohttp.ClientTimeout(total=DEADLINE)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, url, data=body or None, headers=texts(draft)) as answer,
        ):
            told = await answer.read()
            return Sent(answer.status, _lower(answer.headers), told, url.raw_path_qs)

    return asyncio.run(send())


def by_urllib3(
    base_url: str, method: str, target: str, body: bytes, handle: ProviderHandle
) -> Sent:
    written = urllib3.util.parse_url(base_url + target).request_uri
    draft = signed(handle, method, base_url, written, body)
    url = origin(base_url) + draft.target.decode()
    with urllib3.PoolManager(retries=False, timeout=DEADLINE) as pool:
        answer = pool.request(method, url, body=body or None, headers=texts(draft))
    sent = urllib3.util.parse_url(url).request_uri
    return Sent(answer.status, _lower(answer.headers), answer.data, sent)


def by_curl(base_url: str, method: str, target: str, body: bytes, handle: ProviderHandle) -> Sent:
    draft = signed(handle, method, base_url, urlsplit(base_url).path + target, body)
    sent = draft.target.decode()
    command = [tool("curl"), "-q", "-sS", "-i", "--http1.1", "--globoff", "--path-as-is"]
    command += ["--noproxy", "*", "--max-time", str(DEADLINE), "-X", method]
    command.append(origin(base_url) + sent)
    for name, value in texts(draft).items():
        command += ["-H", f"{name}: {value}"]
    if body:
        command += ["--data-binary", "@-"]
    done = subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True)
    head, _, told = done.stdout.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Sent(int(status.split()[1]), _lower(headers), told, sent)


def by_node(base_url: str, method: str, target: str, body: bytes, handle: ProviderHandle) -> Sent:
    order = {
        "url": base_url + target,
        "method": method,
        "body": base64.b64encode(body).decode(),
        "provider": handle.provider.name,
        "credential": handle.credentials,
    }
    process = node()
    stop = threading.Timer(DEADLINE, process.kill)
    stop.start()
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    stop.cancel()
    return Sent(**answer | {"body": base64.b64decode(answer["body"])})


@cache
def node() -> "subprocess.Popen[str]":
    """Starts Node once for all its requests; it ends when its input does."""
    command = [tool("node"), str(SCRIPT)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    atexit.register(process.communicate, timeout=DEADLINE)
    return process


Sender = Callable[[str, str, str, bytes, ProviderHandle], Sent]

SENDERS: dict[str, Sender] = {
    "requests": by_requests,
    "httpx": by_httpx,
    "aiohttp": by_aiohttp,
    "urllib3": by_urllib3,
    "curl": by_curl,
    "node": by_node,
}


# What a client needs that no Python package brings.
PROGRAMS = ("curl", "node")


def written(
    auth: Auth, method: str = "GET", target: str = "/v1/balances", body: bytes = b""
) -> bytes:
    """Writes a signed request by hand; the target is sent as it is."""
    return wire(auth.sign(method, target, body, "127.0.0.1", typed(body)))


def dial(base_url: str) -> socket.socket:
    """Connects to where a base URL points."""
    url = urlsplit(base_url)
    return socket.create_connection((url.hostname, url.port), DEADLINE)


def by_hand(base_url: str, data: bytes) -> Sent:
    """Sends bytes as they are and reads one answer.

    Where the answer says that the connection closes, it must have closed.
    """
    method, _, rest = data.decode("latin-1").partition(" ")
    with dial(base_url) as connection:
        connection.sendall(data)
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        told = answer.read()
        if answer.will_close:
            assert connection.recv(1) == b"", "the connection was to be closed"
        return Sent(answer.status, _lower(answer.headers), told, rest.partition(" ")[0])


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
