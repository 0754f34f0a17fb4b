"""A server without sockets on a clock that the machines move, and a client for it.

The bench counts time in the plainest way, one number for each clock; ``test_machines_clock.py``
tests all else that a clock can do.
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
from mockserver.explain.time_budget import SHED
from mockserver.explain.vocabulary import Explanation
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


class Unexplained:
    """A budget of no time: explanations, which no machine reads, would take half of all time."""

    def spend(self, _: Any) -> Explanation:
        return SHED


UNEXPLAINED = Unexplained()


class Answer(NamedTuple):
    """A response as a client sees it."""

    status: int
    headers: dict[str, str]
    body: Any


class Bench:
    """A server, and what its clocks should say: ``real`` for signatures, ``now`` for the rest."""

    def __init__(self, world: str | World = "default", **settings: Any) -> None:
        self.real = HandClock(START)
        self.server = MockServer(world, real=self.real, **settings)
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
    ) -> Answer:
        """Asks, signed by a credential."""
        return self.send(handle, handle.auth_as(label).sign(method, target, body, HOST), peer)

    def send(self, handle: ProviderHandle, draft: UnsignedRequest, peer: str = PEER) -> Answer:
        """Sends a draft as it is to the sandbox of a handle."""
        path, body = draft.path, draft.body
        headers = [(b"host", HOST.encode()), *((k.lower(), v) for k, v in draft.headers)]
        request = Request.of(
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
        sandbox.explanation_budget = UNEXPLAINED
        response = pipeline.respond(sandbox, handle.provider.name, request).response
        received = {name.decode(): value.decode() for name, value in response.headers}
        return Answer(response.status, received, json.loads(response.body))


def _sandbox(handle: ProviderHandle) -> str:
    """Returns the sandbox that a handle's base URL leads to."""
    _, inside, rest = handle.base_url.partition("/~")
    return rest.partition("/")[0] if inside else "default"


def posted(data: Mapping[str, Any]) -> bytes:
    """Writes a JSON body."""
    return json.dumps(data).encode()


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
