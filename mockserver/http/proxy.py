"""The proxy: leads clients with fixed hosts here. Nothing is sent beyond this machine.

A tunnel (``CONNECT api.cdp.coinbase.com:443``) ends in this process, on the same connection: the
client speaks TLS with us. Some libraries send ``GET https://api.cdp.coinbase.com/...`` instead.
"""

import base64
import binascii
import logging
from urllib.parse import unquote, urlsplit

from mockserver.engine.sandboxes import DEFAULT
from mockserver.http.connection import Connection
from mockserver.http.encoding import refusal
from mockserver.http.parsing import Message, Pairs
from mockserver.http.tls import Contexts, TlsLayer

log = logging.getLogger("mockserver")

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
PLAIN_PORT = 80
NO_PROXY_FORM = (
    "This port is a proxy, for clients that have HTTPS_PROXY set to it; it serves no paths.\n"
)


class ProxyConnection(Connection):
    """A connection to the proxy's port."""

    def __init__(self, context: object, contexts: Contexts) -> None:
        super().__init__(context)
        self._contexts = contexts

    def _answer(self, message: Message) -> None:
        """Opens a tunnel, or answers a request for an absolute URL."""
        target = message.target.decode("latin-1")
        tunnel = message.method == "CONNECT"
        host, port = _authority(f"//{target}" if tunnel else target)
        sandbox = _sandbox(message.headers)
        app = self.context.app
        if not host:
            self._refuse(400, NO_PROXY_FORM)
        elif not app.routing.knows(host):
            known = ", ".join(app.routing.hosts)
            self._refuse(403, f"The proxy leads to {known}, and not to {host}.\n")
        elif app.sandboxes.get(sandbox) is None:
            self._refuse(403, f"There is no sandbox {sandbox} (the user name of the proxy).\n")
        else:
            self.find = app.routing.seen_through(host, sandbox)
            if tunnel:
                self._tunnel(port)
            else:
                super()._answer(message)

    def _refuse(self, status: int, line: str) -> None:
        log.warning("%s", line.rstrip())
        self._end(refusal(status, line))

    def _tunnel(self, port: int | None) -> None:
        """Gives the transport to a new connection, under TLS unless the port is 80."""
        transport, inner = self.transport, Connection(self.context)
        inner.find = self.find
        below: Connection | TlsLayer = inner
        if port != PLAIN_PORT:
            below = TlsLayer(inner, self._contexts, self.context.app.routing)
        self.out.append(ESTABLISHED)
        self._flush()
        self.connection_lost(None)
        transport.set_protocol(below)
        below.connection_made(transport)


def _authority(url: str) -> tuple[str, int | None]:
    """Returns host and port of a URL, ("", None) where it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", None
    return parts.hostname or "", port


def _sandbox(headers: Pairs) -> str:
    """Returns the sandbox that the proxy's user name selects."""
    for name, value in headers:
        scheme, _, credentials = value.partition(b" ")
        if name == b"proxy-authorization" and scheme.lower() == b"basic":
            try:
                user = base64.b64decode(credentials.strip(), validate=True).partition(b":")[0]
            except binascii.Error:
                return DEFAULT
            return unquote(user.decode("latin-1")) or DEFAULT
    return DEFAULT
