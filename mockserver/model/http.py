"""Requests as received, responses as sent.

Both are bytes exactly as on the wire, because signatures cover these bytes and clients encode
them in different ways.
"""

from typing import Any

from msgspec import Struct

Headers = tuple[tuple[bytes, bytes], ...]


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

    def header(self, name: bytes) -> bytes:
        """Returns the first value of a header, b"" without one; ``name`` is in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return b""


class Response(Struct, frozen=True, gc=False):
    """One response: status, headers (without Content-Length) and body.

    ``deliveries`` change how it is sent.
    """

    status: int
    headers: Headers
    body: bytes
    deliveries: tuple[Any, ...] = ()


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
