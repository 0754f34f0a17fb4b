"""What every machine works on: a server without sockets, time wound by hand, a way to ask.

A machine says how time goes on, and the bench keeps count of it in the plainest way, one
number for each clock; ``test_machines_clock.py`` is about all else that a clock can do.
"""

import itertools
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from mockserver import HandClock, MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.engine import pipeline
from mockserver.engine.world import World
from mockserver.model.http import Request, UnsignedRequest

SECOND = 10**9
MILLISECOND = 10**6
START = 1_747_444_800 * SECOND  # a full minute

HOST = "mockserver"
PEER = "127.0.0.1"

# The same examples in every run, however slow the machine is that they run on.
PLAN = settings(
    max_examples=100,
    stateful_step_count=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)


class Told(NamedTuple):
    """An answer: what a client sees of it."""

    status: int
    headers: dict[str, str]
    body: Any


class Bench:
    """A server, and what its clocks should say: ``real`` for signatures, ``now`` for the rest."""

    def __init__(self, world: str | World = "default", **made: Any) -> None:
        self.real = HandClock(START)
        self.server = MockServer(world, real=self.real, **made)
        self.now, self.frozen = START, False
        self._numbers = itertools.count()

    def pass_time(self, span: int) -> None:
        """Lets real time pass, and with it the sandbox clock unless that stands."""
        self.real.now += span
        self.now += 0 if self.frozen else span

    def advance(self, milliseconds: int) -> None:
        """Moves the sandbox clock alone."""
        self.server.clock.advance(f"{milliseconds}ms")
        self.now += milliseconds * MILLISECOND

    def freeze(self, frozen: bool) -> None:
        """Stops the sandbox clock, or lets it run on."""
        self.server.clock.freeze(frozen)
        self.frozen = frozen

    def reset(self) -> None:
        """Puts everything back, the clocks too."""
        self.server.reset()
        self.now, self.frozen = self.real.now, False

    def once(self, target: str) -> str:
        """Returns a target that was not asked for before: an equal request may be a replay."""
        return f"{target}{'&' if '?' in target else '?'}n={next(self._numbers)}"

    def ask(
        self,
        handle: ProviderHandle,
        method: str,
        target: str,
        body: bytes = b"",
        label: str = "main",
        peer: str = PEER,
    ) -> Told:
        """Asks, signed by a credential."""
        return self.send(handle, handle.auth_as(label).sign(method, target, body, HOST), peer)

    def send(self, handle: ProviderHandle, draft: UnsignedRequest, peer: str = PEER) -> Told:
        """Sends a draft as it is to the sandbox of a handle."""
        path, body = draft.path, draft.body
        headers = [(b"host", HOST.encode()), *((k.lower(), v) for k, v in draft.headers)]
        asked = Request.of(
            draft.method,
            path,
            draft.query,
            headers,
            body,
            base_path=handle.provider.base_path.encode(),
            raw_target_path=path,
            peer=peer,
        )
        sandbox = self.server.app.sandboxes.get(_sandbox(handle))
        told = pipeline.respond(sandbox, handle.provider.name, asked).response
        named = {name.decode(): value.decode() for name, value in told.headers}
        return Told(told.status, named, json.loads(told.body))


def _sandbox(handle: ProviderHandle) -> str:
    """Returns the sandbox that a handle's base URL leads to."""
    _, inside, rest = handle.base_url.partition("/~")
    return rest.partition("/")[0] if inside else "default"


def posted(given: Mapping[str, Any]) -> bytes:
    """Writes a JSON body."""
    return json.dumps(given).encode()


def mine(ask: Any) -> Any:
    """Draws from what ``ask`` tells of the machine as it stands."""
    return st.runner().flatmap(lambda machine: st.sampled_from(ask(machine)))


# How much real time passes before a step: none, some, or just so much that something changes.
WAITS = mine(lambda machine: machine.waits())


class Timed(RuleBasedStateMachine):
    """A machine in which time goes on, now and then to where something is about to change."""

    bench: Bench
    spans: tuple[int, ...]  # what usually passes at once, in nanoseconds

    def waits(self) -> list[int]:
        """Returns for how long a step may wait."""
        ahead = sorted({at - self.bench.now for at in self.edges() if at > self.bench.now})
        return [0] * 6 + [*self.spans] + [*(span + off for span in ahead for off in (-1, 0, 1))]

    def edges(self) -> list[int]:
        """Returns the moments of the sandbox clock at which something changes by itself."""
        raise NotImplementedError

    def forget(self) -> None:
        """Lets the model be what it was at the start."""
        raise NotImplementedError

    @rule(how=mine(lambda machine: ["run", "run", "stop", *machine.spans * 2, "reset"]))
    def the_sandbox_is_steered(self, how: str | int) -> None:
        if how == "reset":
            self.bench.reset()
            self.forget()
        elif isinstance(how, int):
            self.bench.advance(how // MILLISECOND)
        else:
            self.bench.freeze(how == "stop")
