"""Runs a server inside a Python process, for the length of a ``with`` block.

with MockServer() as server:
    requests.get(server.cpg.base_url + "/v1/balances", auth=server.cpg.auth)
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

from mockserver import control
from mockserver.client.process_clock import AuthClock, auth_time
from mockserver.client.sandbox import ServerHandle
from mockserver.client.settings import Limits, Quirks
from mockserver.client.tracebacks import CallersMistake, hides_frames
from mockserver.engine.memory_budget import BUDGET
from mockserver.engine.sandboxes import SANDBOXES_MAX
from mockserver.engine.world import World
from mockserver.faults.scenario import Scenario
from mockserver.faults.tls import TlsFault
from mockserver.http.bounds import bounds_for
from mockserver.http.exchange import Exchange, create_exchange
from mockserver.http.listeners import ListenerOptions, Listeners
from mockserver.http.server import address, bind, check_host, check_threads, in_thread
from mockserver.model.times import Duration, parse_duration

__tracebackhide__ = hides_frames


class HandClock:
    """A real time that you control: it stands still until you advance it.

    clock = HandClock()
    with MockServer(real=clock) as server:
        clock.advance("61s")

    ``now`` is in nanoseconds since the epoch, the current time by default.
    """

    def __init__(self, now: int | None = None) -> None:
        self.now = time.time_ns() if now is None else now

    def __call__(self) -> int:
        """Returns the time in nanoseconds since the epoch."""
        return self.now

    def advance(self, duration: Duration) -> None:
        """Moves the time forward by a duration: ``61s``, a number of seconds or a timedelta."""
        self.now += parse_duration(duration)


class MockServer(ServerHandle):
    """A server on free ports, in a thread of its own; also for ``async with``.

    with MockServer(quirks={"cpg.replay": "off"}) as server:
        requests.get(server.cpg.base_url + "/v1/balances", auth=server.cpg.auth)
        server.clock.advance("61s")

    Each provider of the sandbox ``default`` is an attribute; ``sandbox()`` creates more
    sandboxes. Settings are those of ``create_app``; ``world`` is the name of a shipped one, a path
    or data. ``real`` returns real time in nanoseconds
    since the epoch, e.g. ``HandClock()``; ``auth_clock="process"`` checks signatures by
    ``time.time()`` of this process, which freezegun and time-machine move;
    ``fault_headers`` lets a request force its fate by ``X-Mockserver-Reject`` and
    ``X-Mockserver-Deliver``; ``head_timeout`` and ``body_timeout`` are the seconds
    that a client may take to send the parts of a request; ``max_connections`` limits open
    connections. ``tls`` adds an HTTPS port, ``proxy_port`` a proxy to it (0: any free port),
    ``unix_socket`` a socket file; ``trust`` then says how clients trust the server. Raises
    ValueError for a wrong setting.
    """

    def __init__(  # noqa: PLR0913 - settings, each by name
        self,
        world: str | Path | Mapping[str, Any] | World = "default",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 490,
        quirks: Quirks | None = None,
        limits: Limits | Literal["default", "off"] = "default",
        scenario: str | Path | Mapping[str, Any] | Scenario | None = None,
        explain_header: bool = False,
        real: Callable[[], int] = time.time_ns,
        admin_token: str | None = None,
        cors: bool = False,
        gzip: bool = False,
        head_timeout: float = 60,
        body_timeout: float = 60,
        max_connections: int | None = None,
        memory_budget: int | str = BUDGET,
        max_sandboxes: int = SANDBOXES_MAX,
        tls: bool = False,
        tls_port: int | None = None,
        tls_fault: TlsFault | None = None,
        ca_dir: str | Path | None = None,
        proxy_port: int | None = None,
        unix_socket: str | Path | None = None,
        auth_clock: AuthClock = "machine",
        fault_headers: bool = False,
    ) -> None:
        with CallersMistake():
            self._listener_options = ListenerOptions(
                tls, tls_port, tls_fault, ca_dir, proxy_port, unix_socket
            )
            self._bounds = bounds_for(head_timeout, body_timeout, max_connections)
            self.app: Exchange = create_exchange(
                world,
                seed=seed,
                quirks=cast(Any, quirks),
                limits=cast(Any, limits),
                scenario=scenario,
                explain_header=explain_header,
                real=real,
                admin_token=admin_token,
                cors=cors,
                gzip=gzip,
                memory_budget=memory_budget,
                max_sandboxes=max_sandboxes,
                fault_headers=fault_headers,
            )
            self._machine_time = real
            real = self.app.sandboxes.default.clock.auth = self._auth_time(auth_clock)
            check_host(host, admin_token)
        self.url = "http://mockserver"
        self._host, self._port = host, port
        self._stack = contextlib.ExitStack()
        self.running = False
        super().__init__(self._call_control, real)

    def __repr__(self) -> str:
        """Returns the gateway's URL and the world."""
        return f"<MockServer at {self.url}, world {self.app.sandboxes.default.world.name}>"

    def _auth_time(self, choice: str) -> Callable[[], int]:
        return auth_time(choice, self._machine_time)

    def _follow(self, id: str, real: Callable[[], int]) -> None:
        sandbox = self.app.sandboxes.get(id)
        if sandbox is not None:
            with sandbox.lock:
                sandbox.clock.auth = real

    def _call_control(self, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        return control.call(self.app, method, path, body, query, self.url)[1]

    @property
    def transport(self) -> Any:
        """Connects httpx clients without a socket: ``server.cpg.client(transport=...)``."""
        from mockserver.client.httpx_transport import Transport

        return Transport(self.app)

    def start(self) -> None:
        """Binds the ports and serves; raises PortInUse, and RuntimeError under gevent."""
        check_threads()
        self._handles = {}  # they get new addresses
        sockets = bind(self._host, self._port, self.app.providers)
        self.url = address(self.app, sockets)
        with contextlib.ExitStack() as bound:
            for sock in sockets.values():
                bound.callback(sock.close)
            listeners = Listeners(self.app, self._host, self._port, self._listener_options)
            bound.callback(listeners.close)
            self._stack.enter_context(in_thread(self.app, sockets, self._bounds, listeners))
            bound.pop_all()
        self.running = True

    def stop(self) -> None:
        """Stops serving and frees the ports."""
        self.running = False
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
        """Starts without blocking the event loop."""
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Stops without blocking the event loop."""
        await asyncio.to_thread(self.stop)
