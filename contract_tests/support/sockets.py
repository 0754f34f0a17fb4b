"""Bytes over a raw socket, and every response that comes back."""

import contextlib
import re
import socket
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from contract_tests.clients.senders import DEADLINE, dial
from contract_tests.support.raw import wire
from mockserver.client.provider import ProviderHandle

HOST = b"Host: 127.0.0.1\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
LOST = b"GET /lost HTTP/1.1\r\n" + HOST + b"\r\n"
NO_REQUEST = b"Good morning.\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Answer(NamedTuple):
    """A response: the head is in lower case but for its first line."""

    status: int
    head: bytes
    body: bytes


@contextlib.contextmanager
def small_buffers(base_url: str) -> Iterator[socket.socket]:
    """Connects as a client that takes little at once, so that the rest waits at the server."""
    url = urlsplit(base_url)
    with socket.socket() as connection:
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            connection.setsockopt(socket.SOL_SOCKET, buffer, 1 << 16)
        connection.settimeout(DEADLINE)
        connection.connect((url.hostname, url.port))
        yield connection


def read_to_end(connection: socket.socket) -> bytes:
    """Returns all that comes until the server closes."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):  # it had not read all: what came before counts
        while part := connection.recv(1 << 20):
            received += part
    return bytes(received)


def read_response(connection: socket.socket) -> bytes:
    """Returns one response that has a length, with an interim one before it, and nothing behind."""
    received, size = b"", None
    while size is None or len(received) < size:
        part = connection.recv(1 << 20)
        assert part, received[-500:]
        received += part
        head = re.search(rb"(?is)content-length: ([0-9]+).*?\r\n\r\n", received)
        size = head.end() + int(head[1]) if head else None
    assert len(received) == size
    return received


def converse(url: str, *parts: bytes) -> bytes:
    """Sends parts and closes the sending side; returns all that comes back."""
    with dial(url) as connection:
        with contextlib.suppress(OSError):  # the server may have ended the connection
            for part in parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
        return read_to_end(connection)


def answers(received: bytes, *, bodiless: bool = False) -> list[Answer]:
    """Takes apart complete responses, each with a length or in chunks."""
    result, at = [], 0
    while at < len(received):
        end = received.index(b"\r\n\r\n", at) + 4
        assert received.startswith(b"HTTP/1.1 ", at), received[at:]
        first, _, lines = received[at : end - 4].partition(b"\r\n")
        lines = b"\r\n" + lines.lower()
        if b"\r\ntransfer-encoding: chunked" in lines:
            body, at = unchunked(received, end)
        else:
            length = re.search(rb"\r\ncontent-length: ([0-9]+)", lines)
            at = end + (int(length[1]) if length and not bodiless else 0)
            assert at <= len(received), received[end:]
            body = received[end:at]
        result.append(Answer(int(first[9:12]), first + lines, body))
    return result


def unchunked(data: bytes, at: int) -> tuple[bytes, int]:
    """Returns a body sent in chunks from a position on, and where it ends."""
    body = b""
    while True:
        begin = data.index(b"\r\n", at) + 2
        size = int(data[at:begin], 16)
        body, at = body + data[begin : begin + size], begin + size + 2
        if not size:
            return body, at


def statuses(received: bytes) -> list[int]:
    return [answer.status for answer in answers(received)]


def dateless(received: bytes) -> bytes:
    """Replaces the time in Date headers: the one thing that differs between equal responses."""
    return re.sub(rb"\r\ndate: [^\r]{29}\r\n", b"\r\ndate: " + b"-" * 29 + b"\r\n", received)


def with_header(data: bytes, line: bytes) -> bytes:
    """Adds a header before all others."""
    return data.replace(b"\r\n", b"\r\n" + line + b"\r\n", 1)


def main_read(handle: ProviderHandle, query: str = "") -> bytes:
    """Writes a provider's main read, signed."""
    return wire(handle.auth.example(handle.base_url, query))
