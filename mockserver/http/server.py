"""uvicorn, set rather than defaulted: several ports, one application, a clean stop."""

import _thread
import asyncio
import contextlib
import math
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from types import BuiltinFunctionType
from typing import Any

import uvicorn

from mockserver.engine.cors import is_loopback
from mockserver.errors import SettingError
from mockserver.http.bounds import Bounds, bounds_for
from mockserver.http.exchange import Exchange
from mockserver.http.listeners import Listeners
from mockserver.http.ports import BACKLOG, listen, url
from mockserver.http.refused_ports import RefusedPorts
from mockserver.http.uvicorn_contract import protocol
from mockserver.model.provider import Provider

GATEWAY = "gateway"
HALF_SENT = 0.3  # seconds that a stop leaves to requests on their way
GRACE_MAX = 3_600  # seconds
STOP_WITHIN = 1  # seconds for everything else
IDLE = 60  # seconds for which a connection stays open when nothing is asked


def check_host(host: str, token: str | None) -> None:
    """Raises SettingError for an address that is not loopback, unless a token guards it."""
    if not is_loopback(host) and not token:
        raise SettingError(f"--host {host} is not loopback: set MOCKSERVER_ADMIN_TOKEN")


def check_grace(seconds: float) -> None:
    """Raises SettingError for a time that a stop cannot take."""
    if not 0 <= seconds <= GRACE_MAX:
        raise SettingError(f"--grace takes seconds, from 0 to {GRACE_MAX}, not {seconds!r}")


def bind(host: str, port: int, providers: Mapping[str, Provider]) -> dict[str, socket.socket]:
    """Binds the gateway's port and one per provider; port 0 takes any free ones.

    Raises PortInUse; then nothing stays bound.
    """
    wanted = {GATEWAY: port} | {n: port and port + p.port for n, p in providers.items()}
    bound: dict[str, socket.socket] = {}
    try:
        for name, number in wanted.items():
            bound[name] = listen(host, number)
    except BaseException:
        for sock in bound.values():
            sock.close()
        raise
    return bound


def address(app: Exchange, sockets: Mapping[str, socket.socket]) -> str:
    """Stores in the exchange where it is served; returns the URL of the gateway.

    A public URL is the gateway's, seen from outside: providers hang below it.
    """
    public = (app.public_url or "").rstrip("/")
    app.origins = {
        name: f"{public}/{name}" if public else url("http", sock)
        for name, sock in sockets.items()
        if name != GATEWAY
    }
    app.direct_origins = app.direct_origins or {
        name: url("http", sock) for name, sock in sockets.items() if name != GATEWAY
    }
    return public or url("http", sockets[GATEWAY])


class Server(uvicorn.Server):
    """A uvicorn server that calls ``ready`` and exits with 0 when asked to stop."""

    def __init__(
        self,
        app: Exchange,
        sockets: Mapping[str, socket.socket],
        ready: Callable[[], None] = lambda: None,
        *,
        http: Any = None,
        bounds: Bounds | None = None,
        warm: bool = False,
        listeners: Listeners | None = None,
        grace: float = STOP_WITHIN,
        reload: bool = False,
    ) -> None:
        app.bounds = bounds or bounds_for()
        app.routing.ports = {
            sock.getsockname()[1]: name for name, sock in sockets.items() if name != GATEWAY
        }
        app.stopping = False
        self._exchange, self._grace = app, grace
        self._listeners = listeners
        super().__init__(
            uvicorn.Config(
                app,
                http=http or protocol(),
                loop="auto",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=math.ceil(grace) + STOP_WITHIN,
                timeout_keep_alive=IDLE,
            )
        )
        self._reload = app.reload_world if reload else None
        self._terminals = [descriptor for descriptor in (0, 1, 2) if os.isatty(descriptor)]
        self._named_sockets = sockets
        self._sockets = list(sockets.values())
        self._ready = ready
        self._warm = app.warm if warm else None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, reports that, then imports what the pages need."""
        await super().startup(sockets=sockets)
        loop = asyncio.get_running_loop()
        protocol_class: Any = self.config.http_protocol_class  # by name, too, once it is loaded
        connect = partial(protocol_class, self.config, self.server_state, {}, loop)
        if self._listeners is not None:
            await self._listeners.start(loop, connect)
        connections = self.server_state.connections
        self._exchange.refused_ports = self._refused = RefusedPorts(
            self._named_sockets, self.servers, connect, connections, BACKLOG
        )
        self._ready()
        if self._warm is not None:
            loop.run_in_executor(None, self._warm)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops; a client that has sent half a request is not waited for."""
        self._exchange.stopping = True
        self._exchange.refused_ports = None
        self._refused.close()
        if self._listeners is not None:
            self._listeners.close()
        loop = asyncio.get_running_loop()
        loop.call_later(min(HALF_SENT, self._grace), self._cut, True)
        loop.call_later(self._grace, self._cut, False)
        await super().shutdown(sockets=sockets)

    def _cut(self, spare: bool) -> None:
        """Ends the connections; ``spare`` those on which a response is on its way to an end."""
        connections: list[Any] = list(self.server_state.connections)
        for connection in connections:
            if not (spare and connection.work is not None and connection.work.half_closed()):
                connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Lets SIGINT and SIGTERM stop the server; uvicorn would raise them once more.

        SIGHUP reloads the world, unless the terminal has gone.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers: dict[int, Any] = dict.fromkeys((signal.SIGINT, signal.SIGTERM), self.handle_exit)
        if self._reload is not None and hasattr(signal, "SIGHUP"):
            handlers[signal.SIGHUP] = self._on_hangup
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_hangup(self, number: int, frame: Any) -> None:
        if not all(map(os.isatty, self._terminals)):
            self.handle_exit(number, frame)
        else:
            threading.Thread(target=self._reload, name="mockserver-reload", daemon=True).start()

    def serve_forever(self) -> None:
        """Serves until stopped, in this thread."""
        factory: Any = self.config.get_loop_factory()
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self.serve(sockets=self._sockets))


def check_threads() -> None:
    """Raises RuntimeError where a library put its own in the place of threads, as gevent does.

    A server in such a thread would hold up the whole process, without a word.
    """
    if not isinstance(_thread.start_new_thread, BuiltinFunctionType):
        library = getattr(_thread.start_new_thread, "__module__", "something").partition(".")[0]
        raise RuntimeError(
            f"{library} has replaced this process's threads, and MockServer needs a real one:"
            " start `mockserver serve` as a process of its own, and use its base URLs"
            " (in pytest set MOCKSERVER_URL)"
        )


@contextlib.contextmanager
def in_thread(
    app: Exchange,
    sockets: Mapping[str, socket.socket],
    bounds: Bounds | None = None,
    listeners: Listeners | None = None,
) -> Iterator[None]:
    """Serves in a thread for as long as the block runs; raises RuntimeError under gevent."""
    check_threads()
    started = threading.Event()
    server = Server(app, sockets, started.set, bounds=bounds, listeners=listeners, grace=HALF_SENT)
    thread = threading.Thread(target=server.serve_forever, name="mockserver", daemon=True)
    thread.start()
    while not started.wait(0.05):
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
