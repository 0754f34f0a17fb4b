"""Bridges one request from our connection to an ASGI application, and its response back."""

import asyncio
import logging
from typing import Any
from urllib.parse import unquote

from mockserver.http.encoding import BODILESS, CLOSE, STATUS_LINES, lines
from mockserver.http.parsing import KEPT_MAX, Message

log = logging.getLogger("mockserver")

VERSIONS = {"version": "3.0", "spec_version": "2.3"}
ENDLESS = b"text/event-stream"
ERROR_BODY = b"Internal Server Error"
ERROR = {
    "type": "http.response.start",
    "status": 500,
    "headers": [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(ERROR_BODY)),
        (b"connection", b"close"),
    ],
}


class Bridge:
    """One request on its way through an ASGI application.

    ``head`` waits for the first part of the body, so that both leave in one write.
    """

    def __init__(self, connection: Any, message: Message, scope: dict[str, Any]) -> None:
        self._connection = connection
        self._scope = scope
        self._body: bytes | None = message.body
        self._keep_alive = message.keep_alive and len(message.body) <= KEPT_MAX
        self._gone = asyncio.Event()
        self._head = b""
        self._started = self._complete = self._chunked = self._endless = False
        self._bodiless = message.method == "HEAD"

    def lost(self) -> bool:
        """Returns whether to cancel: the application ends by itself when it hears of it."""
        self._gone.set()
        return False

    def half_closed(self) -> bool:
        """Returns whether to go on for a client that sends no more: to an end, if there is one."""
        return not self._endless

    async def run(self) -> bool:
        """Runs the application; returns whether the connection may go on."""
        try:
            await self._connection.context.app.pages(self._scope, self.receive, self.send)
        except Exception:
            if not self._gone.is_set():
                log.exception("internal error")
                await self._fail()
            return False
        if not self._complete and not self._gone.is_set():
            log.error("internal error: the application sent no complete response")
            await self._fail()
            return False
        return self._keep_alive

    async def _fail(self) -> None:
        """Answers by an error, or breaks a response off that has begun."""
        if self._complete:
            return
        if self._started and not self._head:
            self._connection.transport.abort()
            return
        self._started, self._head = False, b""
        await self.send(ERROR)
        await self.send({"type": "http.response.body", "body": ERROR_BODY})

    async def receive(self) -> dict[str, Any]:
        """Returns the whole request, and then the end of the connection."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Takes a part of the response; waits while the client reads too slowly."""
        if self._gone.is_set() or self._complete:
            return
        if not self._started:
            self._start(message["status"], tuple((k, v) for k, v in message.get("headers", ())))
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        data, self._head = self._head, b""
        if not self._bodiless:
            data += self._framed(body, more)
        self._complete = not more
        if data:
            self._connection.transport.write(data)
        if more:
            await self._connection.drain()

    def _framed(self, body: bytes, more: bool) -> bytes:
        if not self._chunked:
            return body
        part = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return part if more else part + b"0\r\n\r\n"

    def _start(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._started = True
        head = STATUS_LINES[status] + self._connection.context.common + lines(headers)
        named = {name.lower(): value.lower() for name, value in headers}
        self._endless = named.get(b"content-type", b"").startswith(ENDLESS)
        if self._endless and self._connection.half_closed:
            self._connection.transport.abort()  # a client that sends no more has left
        self._bodiless = self._bodiless or status in BODILESS
        endless = b"content-length" not in named and not self._bodiless
        self._chunked = endless and self._scope["http_version"] == "1.1"
        if b"close" in named.get(b"connection", b"") or (endless and not self._chunked):
            self._keep_alive = False  # in HTTP/1.0 the end of the connection ends the body
        if not self._keep_alive and b"connection" not in named:
            head += CLOSE
        self._head = head + (b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n")


def scope_of(message: Message, path: bytes, query: bytes, connection: Any) -> dict[str, Any]:
    """Returns the ASGI scope of a request."""
    return {
        "type": "http",
        "asgi": VERSIONS,
        "http_version": message.version,
        "method": message.method,
        "scheme": connection.scheme,
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": message.headers,
        "client": connection.client,
        "server": connection.server,
        "state": {},
    }
