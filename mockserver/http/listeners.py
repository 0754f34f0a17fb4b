"""The listeners beside the plain ports: HTTPS, the proxy, a Unix socket."""

import contextlib
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from mockserver.engine.cors import is_loopback
from mockserver.errors import PortInUse, SettingError
from mockserver.faults.tls import TLS_FAULTS, TlsFault
from mockserver.http.exchange import Exchange
from mockserver.http.ports import listen, shown_host, url
from mockserver.http.routing import Routing
from mockserver.model.suggestions import choices

TLS_OFFSET = 9  # from the gateway's port
UNIX_MODE = 0o600


class ListenerOptions(Struct, frozen=True):
    """Which listeners there are; ports as in ``--tls-port``: None is none, 0 any free one.

    A TLS port, a TLS fault and a proxy imply ``tls``.
    """

    tls: bool = False
    tls_port: int | None = None
    tls_fault: TlsFault | None = None
    ca_dir: str | Path | None = None
    proxy_port: int | None = None
    unix_socket: str | Path | None = None

    @property
    def encrypted(self) -> bool:
        """Whether there is an HTTPS port."""
        return self.tls or any(
            value is not None for value in (self.tls_port, self.tls_fault, self.proxy_port)
        )


class Listeners:
    """Binds the listeners; raises PortInUse, SettingError and FileError, and then none is bound."""

    def __init__(
        self, app: Exchange, host: str, port: int, options: ListenerOptions | None = None
    ) -> None:
        self._app = app
        self._stack = contextlib.ExitStack()
        self._starts: list[tuple[socket.socket, Callable[..., Any]]] = []
        app.trust = None
        options = options or ListenerOptions()
        try:
            if options.unix_socket is not None:
                sock = _unix(Path(options.unix_socket))
                self._stack.callback(_remove, Path(options.unix_socket))
                self._add(sock, lambda connect: connect)
            if options.encrypted:
                self._bind_tls(host, port, options)
        except BaseException:
            self.close()
            raise

    def _add(self, sock: socket.socket, factory: Callable[..., Any]) -> None:
        self._stack.callback(sock.close)
        self._starts.append((sock, factory))

    def _bind_tls(self, host: str, port: int, options: ListenerOptions) -> None:
        from mockserver.http.authority_folder import AuthorityFolder
        from mockserver.http.proxy import ProxyConnection
        from mockserver.http.tls import Contexts, TlsLayer

        app, routing = self._app, self._app.routing
        if options.tls_fault not in (None, *TLS_FAULTS):
            known = choices(str(options.tls_fault), TLS_FAULTS)
            raise SettingError(f"no TLS fault {options.tls_fault}: {known}")
        names = certificate_names(routing, app.public_url, host)
        folder = AuthorityFolder(names, options.ca_dir)
        self._stack.callback(folder.close)

        def fault() -> TlsFault | None:
            scenario = app.sandboxes.default.scenario
            return (scenario and scenario.tls_fault) or options.tls_fault

        contexts = Contexts(folder.authority, names, fault)
        tls_port = port and port + TLS_OFFSET if options.tls_port is None else options.tls_port
        sock = listen(host, tls_port, "--tls-port")
        self._add(sock, lambda connect: lambda: TlsLayer(connect(), contexts, routing))
        trust = replace(folder.trust, https=url("https", sock))
        if options.proxy_port is not None:
            sock = listen(host, options.proxy_port, "--proxy-port")
            self._add(sock, lambda connect: lambda: ProxyConnection(connect().context, contexts))
            trust = replace(trust, proxy=url("http", sock))
        app.trust = trust

    async def start(self, loop: Any, connect: Callable[[], Any]) -> None:
        """Starts to listen; ``connect`` returns a connection for each client."""
        for sock, factory in self._starts:
            unix = sock.family == getattr(socket, "AF_UNIX", None)
            create = loop.create_unix_server if unix else loop.create_server
            server = await create(factory(connect), sock=sock)
            self._stack.callback(server.close)

    def close(self) -> None:
        """Stops listening and removes temporary files."""
        self._stack.close()


def certificate_names(
    routing: Routing, public_url: str | None, host: str = "127.0.0.1"
) -> tuple[str, ...]:
    """Returns the names and addresses that the certificates are for.

    ``host`` is the address that is listened on.
    """
    from mockserver.http.certificates import LOOPBACK

    public = urlsplit(public_url or "").hostname
    own = [name for name in (public, shown_host(host)) if name and not is_loopback(name)]
    return tuple(dict.fromkeys([*routing.hosts, "localhost", *LOOPBACK, *own]))


def _unix(path: Path) -> socket.socket:
    """Binds a Unix socket for the owner alone, in the place of one that is not listened on."""
    if not hasattr(socket, "AF_UNIX"):
        raise SettingError("--unix-socket: this system has no Unix sockets")
    sock = socket.socket(socket.AF_UNIX)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            _check_stale(path)
            path.unlink()
        before = os.umask(0o777 & ~UNIX_MODE)
        try:
            sock.bind(str(path))
        finally:
            os.umask(before)
        sock.listen()
    except PortInUse:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise SettingError(f"--unix-socket {path}: {error.strerror or error}") from None
    sock.setblocking(False)
    return sock


def _check_stale(path: Path) -> None:
    """Raises PortInUse where a server listens."""
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(ConnectionRefusedError):
        probe.connect(str(path))
        raise PortInUse(f"--unix-socket {path}: a server listens there", 0)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
