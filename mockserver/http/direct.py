"""The direct way of a request: from the parser to its provider and back, within one call.

uvicorn makes a scope, a task and messages for each request, which costs as much as answering
it. A request that has come whole, for a provider that has nothing to wait for, needs none of
them. Every other one goes uvicorn's way: to the gateway's own pages, with rules or a skewed
clock in its sandbox, in pieces, or on a connection that is to be closed.
"""

import logging
import re
from functools import lru_cache
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import (
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
)

from mockserver.engine import pipeline
from mockserver.http import transport
from mockserver.http.app import Application
from mockserver.http.asgi import BODILESS, PLAIN
from mockserver.model.http import PEER, Headers, Request, Response

log = logging.getLogger("mockserver")

METHODS = {name.encode(): name for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
ODD = re.compile(rb"[^!-~]|#")  # what makes more than a path and a query of a URL
URL_MAX = 8192  # bytes; of longer ones uvicorn refuses some
BROKEN = Response(500, (*PLAIN, (b"connection", b"close")), b"Internal Server Error")
ANSWERS_MAX = 100  # to one packet; who sends more at once waits while others are served


class Direct(transport.Protocol):
    """One connection on which requests may go the direct way.

    ``body`` is that of a request which is not yet whole, or None where uvicorn has it.
    """

    body: bytearray | None = None
    answers = 0  # to this packet
    dated: Any = None  # the server's headers when ``common`` was made of them
    common = b""

    def connection_made(self, transport: Any) -> None:
        """Starts the connection."""
        super().connection_made(transport)
        self.application: Application = cast(Any, self.config.app)
        self.port = self.server[1] if self.server else None
        self.peer = self.client[0] if self.client else PEER

    def on_message_begin(self) -> None:
        """Starts a request, which has no scope unless it goes uvicorn's way."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self.stage = transport.HEAD
        self.hosts = 0

    def on_headers_complete(self) -> None:
        """Takes a head, and chooses the way."""
        self._check_head()
        if not self.transport.is_closing() and self._needs_uvicorn():
            self._hand_over()
        else:
            self.pending = 0
            self.body = bytearray()

    def _needs_uvicorn(self) -> bool:
        """Tells whether the connection or the request asks for more than an answer at once."""
        parser, cycle = self.parser, self.cycle
        return (
            self.declined
            or self.answers >= ANSWERS_MAX
            or (cycle is not None and not cycle.response_complete)
            or self.expect_100_continue
            or self.flow.write_paused
            or not parser.should_keep_alive()
            or parser.should_upgrade()
            or parser.get_method() not in METHODS
            or parser.get_http_version() != "1.1"
            or len(self.url) > URL_MAX
            or not self.url.startswith(b"/")
            or ODD.search(self.url) is not None
        )

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body."""
        if self.body is None:
            super().on_body(body)
        else:
            self.pending = 0
            self.body += body

    def on_message_complete(self) -> None:
        """Answers a whole request; nothing behind the end of a connection is carried out."""
        self._whole()
        if self.body is not None and not self.transport.is_closing():
            if not self._answered(bytes(self.body)):
                self._hand_over()
        if self.body is None:
            super().on_message_complete()
        self.body = None

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; for the rest of a request somebody has to wait."""
        self.answers = 0
        super().data_received(data)
        if self.body is not None and not self.transport.is_closing():
            self._hand_over()

    def _hand_over(self) -> None:
        """Lets uvicorn have the request, as far as it has come."""
        url, headers, body = self.url, self.headers, self.body
        # What is held expects nothing: behind its head stands only a trailer.
        expects = self.expect_100_continue and body is None
        self._unset_keepalive_if_required()
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.expect_100_continue, self.body = url, expects, None
        self.headers.extend(headers)
        self._begin()
        if body:
            super().on_body(bytes(body))

    def _answered(self, body: bytes) -> bool:
        """Answers, unless that is uvicorn's to do."""
        path, _, query = self.url.partition(b"?")
        destination = self.application.routing.find(self.port, self.headers, path)
        if destination is None:
            return False
        sandbox = self.application.sandboxes.get(destination.sandbox)
        if sandbox is None or sandbox.clock.skew:
            return False
        method = METHODS[self.parser.get_method()]
        request = Request(method, destination.path, query, self.headers, body, self.peer, path)
        with sandbox.lock:
            if sandbox.rulebook.rules:
                return False
            try:
                self._send(pipeline.answer(sandbox, destination.provider, request))
            except Exception as error:  # the parser would take it for the client's
                self._fail(error)
        return True

    def _fail(self, error: Exception) -> None:
        log.error("internal error", exc_info=error)
        self._send(BROKEN)
        self.transport.close()

    def _send(self, response: Response) -> None:
        state, body = self.server_state, response.body
        if self.dated is not state.default_headers:
            self.dated = state.default_headers
            self.common = lines(tuple(self.dated))
        head = STATUS_LINE[response.status] + self.common + lines(response.headers)
        if response.status in BODILESS:
            self.transport.write_batched(head + b"\r\n")
        else:
            self.transport.write_batched(
                b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)
            )
        self.answers += 1
        state.total_requests += 1
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )


@lru_cache(1024)
def lines(headers: Headers) -> bytes:
    """Returns header lines; raises ValueError for a value that would be more than one."""
    if any(HEADER_VALUE_RE.search(value) for _, value in headers):
        raise ValueError("a header value holds control characters")
    return b"".join(name.lower() + b": " + value + b"\r\n" for name, value in headers)
