"""The Python face: a server for the length of a ``with`` block.

with MockServer() as server:
    requests.get(server.cpg.base_url + "/v1/balances", auth=server.cpg.auth)
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mockserver import control
from mockserver.client.sandbox import SandboxHandle, ServerHandle
from mockserver.engine.memory_budget import BUDGET
from mockserver.engine.sandboxes import DEFAULT, SANDBOXES_MAX
from mockserver.engine.settings import Value
from mockserver.engine.world import World
from mockserver.faults.scenario import Scenario
from mockserver.http.bounds import bounds_for
from mockserver.http.exchange import Exchange, create_exchange
from mockserver.http.server import address, bind, check_host, check_threads, in_thread
from mockserver.model.times import Duration, parse_duration


class HandClock:
    """Real time wound by hand: give it as ``real`` and nothing passes until you say so."""

    def __init__(self, now: int | None = None) -> None:
        self.now = time.time_ns() if now is None else now

    def __call__(self) -> int:
        """Returns the time in nanoseconds since the epoch."""
        return self.now

    def advance(self, duration: Duration) -> None:
        """Moves on by a duration such as ``61s``, a number of seconds or a timedelta."""
        self.now += parse_duration(duration)


class MockServer(ServerHandle):
    """A server on free ports, in a thread, sync or async; settings as ``create_app``.

    Each provider of the sandbox ``default`` is an attribute: ``server.cpg.base_url``;
    ``sandbox()`` makes another one. ``real`` replaces real time, ``HandClock()`` for
    example; ``clock`` moves the sandbox clock. ``head_timeout`` and ``body_timeout`` are seconds
    in which the parts of a request must come; ``max_connections`` bounds connections.
    """

    def __init__(  # noqa: PLR0913 - settings, each by name
        self,
        world: str | World = "default",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 490,
        quirks: Mapping[str, Value] | None = None,
        limits: str | Mapping[str, str] = "default",
        scenario: str | Path | Mapping[str, Any] | Scenario | None = None,
        explain_header: bool = False,
        real: Callable[[], int] = time.time_ns,
        admin_token: str | None = None,
        cors: bool = False,
        head_timeout: float = 60,
        body_timeout: float = 60,
        max_connections: int | None = None,
        memory_budget: int | str = BUDGET,
        max_sandboxes: int = SANDBOXES_MAX,
    ) -> None:
        self._bounds = bounds_for(head_timeout, body_timeout, max_connections)
        self.app: Exchange = create_exchange(
            world,
            seed=seed,
            quirks=quirks,
            limits=limits,
            scenario=scenario,
            explain_header=explain_header,
            real=real,
            admin_token=admin_token,
            cors=cors,
            memory_budget=memory_budget,
            max_sandboxes=max_sandboxes,
        )
        check_host(host, admin_token)
        self.url = "http://mockserver"
        self._host, self._port = host, port
        self._stack = contextlib.ExitStack()
        super().__init__(self._carry_out, real)

    def _carry_out(self, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        return control.call(self.app, method, path, body, query, self.url)[1]

    @property
    def transport(self) -> Any:
        """For httpx clients that want no socket: ``server.cpg.client(transport=...)``."""
        from mockserver.client.httpx_transport import Transport

        return Transport(self.app)

    def start(self) -> None:
        """Binds the ports and serves; raises PortInUse, and RuntimeError under gevent."""
        check_threads()
        self.default = SandboxHandle(DEFAULT, self._carry_out, self._real)  # with new addresses
        sockets = bind(self._host, self._port, self.app.providers)
        self.url = address(self.app, sockets)
        self._stack.enter_context(in_thread(self.app, sockets, self._bounds))

    def stop(self) -> None:
        """Stops serving and frees the ports."""
        self._stack.close()

    def __enter__(self) -> Self:
        """Starts."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Stops."""
        self.stop()

    async def __aenter__(self) -> Self:
        """Starts, without holding up the event loop."""
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Stops, without holding up the event loop."""
        await asyncio.to_thread(self.stop)
