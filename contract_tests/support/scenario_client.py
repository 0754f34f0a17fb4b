"""A client of one provider, which signs each request for a second of its own."""

import time
from typing import Any

import httpx

from mockserver import Auth, MockServer, control
from mockserver.client.provider import ProviderHandle
from mockserver.client.sandbox import Sandbox
from mockserver.model.times import SECOND

DEADLINE = 30  # seconds


class Caller:
    """Reads balances over a socket; every request is signed anew, for a second of its own.

    Two reads that are signed for the same second are a replay to some.
    """

    def __init__(self, server: Any, provider: str, session: httpx.Client) -> None:
        self.handle: ProviderHandle = getattr(server, provider)
        self.clock = server.clock
        self.session = session
        self.sent = 0
        self.began = time.time_ns()
        self.auth = Auth(self.handle.provider, self.handle.credentials, now=self._now)

    def _now(self) -> int:
        return self.began - self.sent % 60 * SECOND

    def ask(self, method: str, target: str, **how: Any) -> httpx.Response:
        """Sends one request."""
        self.sent += 1
        url = self.handle.base_url + target
        return self.session.request(method, url, auth=self.auth, **how)

    def read(self) -> httpx.Response:
        """Sends the provider's main read."""
        example = self.handle.example
        target = f"{example.path.decode()}?{example.query.decode()}".rstrip("?")
        headers = {name.decode(): value.decode() for name, value in example.headers}
        return self.ask(example.method, target, content=example.body, headers=headers)


def status(session: httpx.Client, coinapi: dict[str, Any]) -> int:
    """Reads CoinAPI's balances, which needs no more than a key."""
    headers = {"X-CoinAPI-Key": coinapi["credentials"]["api_key"]}
    return session.get(f"{coinapi['base_url']}/v1/balances", headers=headers).status_code


def state(server: MockServer) -> tuple[Any, ...]:
    """Returns all that a scenario may touch."""
    clock, faults = (
        control.call(server.app, "GET", f"/sandboxes/default/{what}")[1]
        for what in ("clock", "faults")
    )
    return faults, server.quirks, server.limits, clock["now"], clock["skew"], clock["frozen"]


def skew(server: MockServer, box: Sandbox) -> float:
    """Returns by how many seconds a sandbox's auth clock is off."""
    sandbox = server.app.sandboxes.get(box.id)
    assert sandbox is not None
    return sandbox.clock.skew / SECOND
