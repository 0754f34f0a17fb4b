"""Ports: how a socket that listens is bound, and how its address is shown."""

import errno
import socket

from mockserver.errors import PortInUse

BACKLOG = 2048


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """Returns a socket that listens; 0 is any free port. Raises PortInUse, naming the option."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)  # two servers may bind one port; only one may listen
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} is in use: choose another with {option}"
            raise PortInUse(message, port) from None
        raise PortInUse(f"cannot listen on {host}:{port}: {error.strerror}", port) from None
    sock.setblocking(False)
    return sock


def shown_host(host: str) -> str:
    """Returns an address that clients on this machine can call."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - shown, not bound


def url(scheme: str, sock: socket.socket) -> str:
    """Returns the URL of a socket that listens."""
    host, port = sock.getsockname()[:2]
    host = shown_host(host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
