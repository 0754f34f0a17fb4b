"""What goes in and what comes out: one request as received, one response as sent.

Everything is kept as bytes, exactly as on the wire, because signatures cover
those bytes and every client encodes them in its own way.
"""

from typing import Any

from msgspec import Struct

REQUEST_BODY_MAX = 1024 * 1024  # bytes of a request's body; a larger one is refused unread
PEER = "127.0.0.1"  # the client's address where a request came through no socket

Headers = tuple[tuple[bytes, bytes], ...]


class Request(Struct, frozen=True, gc=False):
    """One request as a provider sees it.

    ``path`` is the raw path below the provider's base URL; ``raw_target_path`` is the raw
    path on the request line (they differ when a prefix or ``/~id`` was in front).
    ``query`` is raw and without ``?``. Header names are in lower case.
    ``oversize`` is set when the body was larger than we read; ``body`` is then empty.
    """

    method: str
    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    peer: str
    raw_target_path: bytes
    oversize: bool = False

    def header(self, name: bytes) -> bytes:
        """Returns the first value of a header, or nothing; ``name`` in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return b""


class Response(Struct, frozen=True, gc=False):
    """One response: status, headers (without Content-Length) and body.

    ``deliveries`` say how it is to be sent, where that is not just so.
    """

    status: int
    headers: Headers
    body: bytes
    deliveries: tuple[Any, ...] = ()


class UnsignedRequest(Struct, frozen=True):
    """A request that a client is about to send, before or after signing.

    ``host`` is what the Host header will say, empty where it is not known; ``path`` and
    ``query`` are raw, as they will be transmitted.
    """

    method: str
    host: str
    path: bytes
    query: bytes = b""
    headers: Headers = ()
    body: bytes = b""

    @property
    def target(self) -> bytes:
        """Path and query."""
        return self.path + b"?" + self.query if self.query else self.path
