"""Rules in the pipeline without a socket, on a clock wound by hand."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mockserver import HandClock, MockServer
from mockserver.engine import pipeline
from mockserver.files import worlds
from mockserver.model import times
from mockserver.model.http import Request, Response
from mockserver.providers import discover

PROVIDERS = discover()
WORLD = worlds.load("default")
START = times.parse_instant("2026-01-01T00:00:00Z")
PEER = "127.0.0.1"
SEED = 490
TEAPOT = 418  # which no provider says, so that a rule did


class Ask(NamedTuple):
    """A request; without a target the provider's main read. ``before`` goes before its path."""

    provider: str
    target: str = ""
    method: str = "GET"
    label: str = "main"
    headers: Mapping[str, str] = {}
    body: bytes = b""
    before: str = ""


class Bench:
    """The default sandbox of a server that was never started; requests go to the pipeline."""

    def __init__(self, seed: int = SEED, limits: Any = "off", **wish: Any) -> None:
        self.real = HandClock(START)
        self.server = MockServer(WORLD, seed=seed, limits=limits, real=self.real, **wish)
        self.sandbox = self.server.app.sandboxes.default

    def request(self, ask: Ask) -> Request:
        """Signs a request; headers in the mapping beside Content-Type are sent unsigned."""
        handle = getattr(self.server, ask.provider)
        base, auth = handle.provider.base_path, handle.auth_as(ask.label)
        kind = {k: v for k, v in ask.headers.items() if k == "Content-Type"}
        draft = (
            auth.sign(ask.method, base + ask.target, ask.body, PEER, kind)
            if ask.target
            else auth.example(f"http://{PEER}{base}")
        )
        more = [(k.encode(), v.encode()) for k, v in ask.headers.items() if k not in kind]
        named = ((b"host", PEER.encode()), *draft.headers, *more)
        headers = [(k.lower(), v) for k, v in named]
        return Request.of(
            draft.method,
            draft.path,
            draft.query,
            headers,
            draft.body,
            base_path=base.encode(),
            raw_target_path=ask.before.encode() + draft.path,
            peer=PEER,
        )

    def send(self, provider: str, request: Request) -> Response:
        outcome = pipeline.respond(self.sandbox, provider, request)
        self.delivered = [delivery.fault.name for delivery in outcome.delivery]
        return outcome.response

    def ask(self, *ask: Any, **more: Any) -> Response:
        parsed = Ask(*ask, **more)
        return self.send(parsed.provider, self.request(parsed))

    def statuses(self, count: int, *ask: Any, **more: Any) -> list[int]:
        return [self.ask(*ask, **more).status for _ in range(count)]

    def count(self, name: str) -> tuple[int, int, str]:
        """Returns how often a rule matched and fired, and its state."""
        told = {rule["rule"]["name"]: rule for rule in self.server.faults}[name]
        return told["matched"], told["fired"], told["state"]


READ = "/v1/balances"
SPOT = "/api/v1/private"
RETURN = SPOT + "?command=returnBalances"
