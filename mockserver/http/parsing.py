"""From bytes to requests: httptools parses, heads and bodies are bounded.

A request that offers to upgrade (``Upgrade: h2c``, which Java's client makes by default) is
declined by going on in HTTP/1.1, body and all; httptools stops behind the head of such a request.
"""

import asyncio
import logging
from typing import Any

import httptools
from msgspec import Struct

from mockserver.model.http import REQUEST_BODY_MAX

log = logging.getLogger("mockserver")

IDLE, HEAD, BODY = range(3)  # what a connection waits for
HEAD_MAX = 256 * 1024
URL_MAX = 65_535
HEADERS_MAX = 2_000
KEPT_MAX = 4 * REQUEST_BODY_MAX  # bytes of a body that are kept: the control API reads that much
DRAIN_MAX = 16 * REQUEST_BODY_MAX  # bytes of a body that are read, so that the client hears its 413
INVALID = "Invalid HTTP request received."
HELLO = b"\x16\x03"  # a TLS handshake
TLS_HELLO = (
    "A TLS hello (https://) came to a port that speaks plain HTTP: write http:// in the URL,"
    " or start the server with --tls and call its HTTPS port.\n"
)
WITHOUT_HOST = ("0.9", "1.0")  # versions of HTTP that need no Host
FRAMING = (b"content-length", b"transfer-encoding")
PERSISTENCE = (b"connection", b"proxy-connection")  # both say to httptools what is kept alive

Pairs = list[tuple[bytes, bytes]]


class Message(Struct, gc=False):
    """A complete request as it was received; ``body`` shows at least whether it is too large."""

    method: str
    version: str
    target: bytes
    headers: Pairs
    body: bytes
    keep_alive: bool


class Parsing(asyncio.Protocol):
    """Parses what comes, and hands over each request when it is complete.

    ``stage`` is what comes next, ``ended`` whether nothing more is read. ``offered`` says that a
    request offered to upgrade and its body is still to come, ``connection`` that a header speaks
    of the connection's end.
    """

    context: Any
    method = url = target = expect = b""
    version = "1.1"
    keep_alive = ended = offered = expecting = connection = False
    stage = HEAD
    since = 0.0
    hosts = size = pending = 0
    head: Pairs
    headers: Pairs
    parts: list[bytes]

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)

    def take(self, message: Message) -> None:
        """Takes a complete request."""
        raise NotImplementedError

    def refuse(self, status: int, line: str) -> None:
        """Refuses a request, and reads no further."""
        raise NotImplementedError

    def invite(self) -> None:
        """Asks the client for the body that it holds back."""
        raise NotImplementedError

    def fail(self, error: BaseException) -> None:
        """Ends the connection by an error of ours."""
        raise NotImplementedError

    def unreadable(self, data: bytes) -> str:
        """Returns the line for bytes that are no HTTP."""
        return TLS_HELLO if data.startswith(HELLO) else INVALID

    def parse(self, data: bytes) -> None:
        """Parses, and goes on behind every offer to upgrade."""
        rest = data
        while rest and not self.ended:
            try:
                self.parser.feed_data(rest)
                break
            except httptools.HttpParserUpgrade as offer:
                rest = rest[offer.args[0] :]
                if self.offered:
                    rest = self._framing() + rest
            except httptools.HttpParserCallbackError as error:
                self.fail(error.__context__ or error)
            except httptools.HttpParserError:
                self.refuse(400, self.unreadable(data))
        if self.stage:
            self.pending += len(data)
            if self.pending > HEAD_MAX:
                self._refuse_size()

    def _framing(self) -> bytes:
        """Returns a head that does nothing but frame a body, as the one that was parsed did."""
        rows = [name + b": " + value for name, value in self.head if name in FRAMING]
        return b"\r\n".join([b"POST / HTTP/1.1", *rows, b"", b""])

    def on_message_begin(self) -> None:
        """Starts a request, unless it is the body of one that was started before."""
        if not self.offered:
            self.url = b""
            self.headers = []
            self.hosts = self.pending = 0
            self.expect = b""
            self.expecting = self.connection = False
            self.stage = HEAD
            self.since = self.context.now

    def on_url(self, url: bytes) -> None:
        """Takes a part of the target."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header, without the blanks behind its value; or a trailer."""
        name = name.lower()
        if name == b"host":
            self.hosts += 1
        elif name == b"expect":
            self.expect = value
        elif name in PERSISTENCE:
            self.connection = True
        self.headers.append((name, value.rstrip()))

    def on_headers_complete(self) -> None:
        """Takes a head; trailers go elsewhere from now on."""
        if self.offered:
            return
        parser = self.parser
        self.method = parser.get_method()
        keep_alive = parser.should_keep_alive()
        if not keep_alive or self.connection:  # else it is 1.1, and httptools formats a text
            self.version = parser.get_http_version()
        else:
            self.version = "1.1"
        self.keep_alive = keep_alive and self.version == "1.1"
        self.target, self.head, self.headers = self.url, self.headers, []
        self.parts = []
        self.size = self.pending = 0
        self.stage = BODY
        self.since = self.context.now
        if (
            self.hosts != 1
            or self.expect
            or len(self.url) > URL_MAX
            or len(self.head) > HEADERS_MAX
        ):
            self._check_head()

    def _check_head(self) -> None:
        """Refuses a head that no provider may see; or asks for the body."""
        hosts = self.hosts
        if len(self.url) > URL_MAX or len(self.head) > HEADERS_MAX:
            self._refuse_size()
        elif hosts != 1 and (hosts or self.version not in WITHOUT_HOST):
            self.refuse(400, f"A request has one Host header, this one has {hosts}.\n")
        elif self.expect and self.version not in WITHOUT_HOST:
            if self.expect.strip().lower() == b"100-continue":
                self.invite()
            else:
                self.refuse(417, "Expect takes 100-continue and nothing else.\n")

    def _refuse_size(self) -> None:
        """Refuses a head for what of it is too large."""
        if len(self.url) > URL_MAX:
            self.refuse(414, f"A URL has at most {URL_MAX} bytes, this one {len(self.url)}.\n")
        elif self.stage == BODY and len(self.head) > HEADERS_MAX:
            count = len(self.head)
            self.refuse(431, f"A head has at most {HEADERS_MAX} headers, this one {count}.\n")
        else:
            self.refuse(431, f"A head has at most {HEAD_MAX} bytes, this one more.\n")

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body; of one that is too large, no more than shows it."""
        self.pending = 0
        if self.size <= KEPT_MAX:
            self.parts.append(body)
        self.size += len(body)
        if self.size > DRAIN_MAX and not self.ended:
            self.keep_alive = False
            self._take()

    def on_message_complete(self) -> None:
        """Takes a complete request; nothing behind the end of a connection is carried out."""
        if self.ended:
            return
        if self.offered:
            self.offered = False
        elif self.parser.should_upgrade():
            self.offered = any(name in FRAMING for name, _ in self.head)
            if self.offered:
                return
        self._take()

    def _take(self) -> None:
        self.stage = IDLE
        self.since = self.context.now
        if not self.keep_alive:
            self.ended = True
        method, body = self.method.decode(), b"".join(self.parts)
        self.take(Message(method, self.version, self.target, self.head, body, self.keep_alive))
