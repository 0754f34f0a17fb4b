"""Responses as bytes: the status line, header lines, the length, the body."""

import http
import re
from email.utils import formatdate
from functools import lru_cache

from mockserver.http.parsing import Message
from mockserver.model.http import PLAIN, Headers, Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE = b"connection: close\r\n"
CLOSING = CLOSE + b"\r\n"
BODILESS = (204, 304)  # statuses whose responses have no body, and no length of one
INVALID_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

BROKEN = Response(500, PLAIN, b"Internal Server Error")


def _status_line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINES = {status: _status_line(status) for status in range(100, 600)}


@lru_cache(1024)
def lines(headers: Headers) -> bytes:
    """Returns header lines; raises ValueError for a value that would be more than one."""
    if any(INVALID_VALUE.search(value) for _, value in headers):
        raise ValueError("a header value holds control characters")
    return b"".join(name.lower() + b": " + value + b"\r\n" for name, value in headers)


@lru_cache(1024)
def _beginning(status: int, headers: Headers, common: bytes) -> bytes:
    return STATUS_LINES[status] + common + lines(headers)


@lru_cache(16)
def date_line(seconds: int) -> bytes:
    """Returns a Date header for a time in seconds since the epoch."""
    return b"date: " + formatdate(seconds, usegmt=True).encode() + b"\r\n"


def encode(response: Response, common: bytes, message: Message | None = None) -> list[bytes]:
    """Returns head and body; ``common`` are header lines that every response has.

    Without the request the connection is to be closed. Raises ValueError as ``lines``.
    """
    status, body = response.status, response.body
    head = _beginning(status, response.headers, common)
    if status in BODILESS:
        body = b""
    else:
        head = b"%bcontent-length: %d\r\n" % (head, len(body))
        if message is not None and message.method == "HEAD":
            body = b""
    return [head + (b"\r\n" if message is not None and message.keep_alive else CLOSING), body]


def refusal(status: int, line: str) -> Response:
    """Returns the refusal of a request that no provider and no page sees."""
    return Response(status, PLAIN, line.encode("ascii", "backslashreplace"))
