"""Requests as received, responses as sent.

Both are bytes exactly as on the wire, because signatures cover these bytes and clients encode
them in different ways.
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

    ``path`` is the raw path below the provider's base URL; ``raw_target_path`` is the raw path of
    the request line, which may have a prefix or ``/~id`` in front. ``query`` is raw, without
    ``?``. Header names are in lower case. ``oversize`` says that the body exceeded the maximum;
    ``body`` is then empty.
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
        """Returns the first value of a header, b"" without one; ``name`` is in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return b""

    def first_headers(self) -> dict[bytes, bytes]:
        """Returns the first value of every header, for who reads several; names in lower case."""
        return dict(reversed(self.headers))


class Response(Struct, frozen=True, gc=False):
    """One response: status, headers (without Content-Length) and body."""

    status: int
    headers: Headers
    body: bytes


class UnsignedRequest(Struct, frozen=True):
    """A request that a client is about to send, before or after signing.

    ``host`` is the Host header, empty when it is not known; ``path`` and ``query`` are raw, as
    they will be sent.
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
