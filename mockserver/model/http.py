"""What goes in and what comes out: one request as received, one response as sent.

Everything is kept as bytes, exactly as on the wire, because signatures cover
those bytes and every client encodes them in its own way.
"""

from typing import Self
from urllib.parse import quote

from msgspec import Struct

Headers = tuple[tuple[bytes, bytes], ...]

REQUEST_BODY_MAX = 1024 * 1024  # bytes of a request's body that a provider reads
PEER = "127.0.0.1"  # the client's address where a request came through no socket
PLAIN = ((b"content-type", b"text/plain; charset=utf-8"),)


def path_below(raw: bytes, root: str) -> bytes:
    """Returns a raw path below the ASGI root path under which an application is mounted."""
    if not root:
        return raw
    prefix = quote(root).encode()
    below = raw[len(prefix) :]
    return below or b"/" if raw.startswith(prefix) and below[:1] in (b"", b"/") else raw


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

    @classmethod
    def of(
        cls,
        method: str,
        path: bytes,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        *,
        raw_target_path: bytes,
        peer: str = PEER,
    ) -> Self:
        """Returns the request that a client sent; every way to a provider builds it here.

        ``body`` may be cut off behind BODY_MAX bytes and one more: it is too large then.
        """
        if len(body) > REQUEST_BODY_MAX:
            return cls(method, path, query, headers, b"", peer, raw_target_path, True)
        return cls(method, path, query, headers, body, peer, raw_target_path)

    def header(self, name: bytes) -> bytes:
        """Returns the first value of a header, or nothing; ``name`` in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return b""


class Response(Struct, frozen=True, gc=False):
    """One response: status, headers (without Content-Length) and body."""

    status: int
    headers: Headers
    body: bytes


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
