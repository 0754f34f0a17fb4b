"""uvicorn, set rather than defaulted: several ports, one application, a clean stop."""

import _thread
import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from types import BuiltinFunctionType
from typing import Any

import uvicorn

from mockserver.engine.cors import is_loopback
from mockserver.errors import PortInUse, SettingError
from mockserver.http.bounds import Bounds, bounds_for
from mockserver.http.exchange import Exchange
from mockserver.http.uvicorn_contract import protocol
from mockserver.model.provider import Provider

GATEWAY = "gateway"
BACKLOG = 2048
HALF_SENT = 0.3  # seconds that a stop leaves to requests on their way
STOP_WITHIN = 1  # seconds for everything else
IDLE = 60  # seconds for which a connection stays open when nothing is asked


def check_host(host: str, token: str | None) -> None:
    """Raises SettingError for an address that is not loopback, unless a token guards it."""
    if not is_loopback(host) and not token:
        raise SettingError(f"--host {host} is not loopback: set MOCKSERVER_ADMIN_TOKEN")


def bind(host: str, port: int, providers: Mapping[str, Provider]) -> dict[str, socket.socket]:
    """Binds the gateway's port and one per provider; port 0 takes any free ones.

    Raises PortInUse; then nothing stays bound.
    """
    wanted = {GATEWAY: port} | {n: port and port + p.port for n, p in providers.items()}
    bound: dict[str, socket.socket] = {}
    try:
        for name, number in wanted.items():
            bound[name] = _listen(host, number)
    except BaseException:
        for sock in bound.values():
            sock.close()
        raise
    return bound


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)  # two servers may bind one port; only one may listen
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} is in use: choose another with --port"
            raise PortInUse(message, port) from None
        raise PortInUse(f"cannot listen on {host}:{port}: {error.strerror}", port) from None
    sock.setblocking(False)
    return sock


def address(app: Exchange, sockets: Mapping[str, socket.socket]) -> str:
    """Stores in the exchange where it is served; returns the URL of the gateway.

    A public URL is the gateway's, seen from outside: providers hang below it.
    """
    public = (app.public_url or "").rstrip("/")
    app.origins = {
        name: f"{public}/{name}" if public else _url(sock)
        for name, sock in sockets.items()
        if name != GATEWAY
    }
    return public or _url(sockets[GATEWAY])


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - shown, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """A uvicorn server that calls ``ready`` and exits with 0 when asked to stop."""

    def __init__(
        self,
        app: Exchange,
        sockets: Mapping[str, socket.socket],
        ready: Callable[[], None] = lambda: None,
        http: Any = None,
        bounds: Bounds | None = None,
        warm: bool = False,
    ) -> None:
        app.bounds = bounds or bounds_for()
        self._warm = app.warm if warm else None
        app.routing.ports = {
            sock.getsockname()[1]: name for name, sock in sockets.items() if name != GATEWAY
        }
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
                timeout_graceful_shutdown=STOP_WITHIN,
                timeout_keep_alive=IDLE,
            )
        )
        self._sockets = list(sockets.values())
        self._ready = ready
        self._warm = app.warm if warm else None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, reports that, then imports what the pages need."""
        await super().startup(sockets=sockets)
        self._ready()
        if self._warm is not None:
            asyncio.get_running_loop().run_in_executor(None, self._warm)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops; a client that has sent half a request is not waited for."""
        asyncio.get_running_loop().call_later(HALF_SENT, self._cut)
        await super().shutdown(sockets=sockets)

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Lets SIGINT and SIGTERM stop the server; uvicorn would raise them once more."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {s: signal.signal(s, self.handle_exit) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

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
    app: Exchange, sockets: Mapping[str, socket.socket], bounds: Bounds | None = None
) -> Iterator[None]:
    """Serves in a thread for as long as the block runs; raises RuntimeError under gevent."""
    check_threads()
    started = threading.Event()
    server = Server(app, sockets, started.set, bounds=bounds)
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
