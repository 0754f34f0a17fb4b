"""One request as bytes over a socket, and the answer as bytes."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from mockserver.model.http import UnsignedRequest

DEADLINE = 30  # seconds


def exchange(url: str, request: bytes) -> bytes:
    """Sends the bytes to a URL's address and reads until the answer is complete or cut."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), DEADLINE) as sock:
        sock.sendall(request)
        received = b""
        while not _complete(received):
            part = sock.recv(65536)
            if not part:
                break
            received += part
    return received


def burst(url: str, request: bytes, count: int, source: str = "127.0.0.1") -> list[int]:
    """Sends a request so many times at once over one connection; returns the statuses."""
    address = urlsplit(url)
    with socket.create_connection(
        (address.hostname, address.port), DEADLINE, source_address=(source, 0)
    ) as sock:
        sock.sendall(request * count)
        received = b""
        while received.count(b"HTTP/1.1 ") < count:
            part = sock.recv(65536)
            if not part:
                break
            received += part
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


def _complete(received: bytes) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return bool(end) and len(body) >= int(line.partition(b":")[2])
    return False


@contextmanager
def taken(offset: int) -> Iterator[int]:
    """Gives a gateway's port whose neighbours are free but for the one at ``offset``, held here."""
    for base in range(20_000, 30_000, 11):
        with ExitStack() as free:
            try:
                held = {n: free.enter_context(_listening(base + n)) for n in range(11)}
            except OSError:
                continue
            for n in held.keys() - {offset}:
                held[n].close()
            yield base
            return
    raise RuntimeError("no run of free ports")


def _listening(port: int) -> socket.socket:
    sock = socket.socket()
    try:
        sock.bind(("127.0.0.1", port))
        sock.listen()
    except OSError:
        sock.close()
        raise
    return sock


def get(target: str, headers: dict[str, str], method: str = "GET", body: bytes = b"") -> bytes:
    """Writes a request; the target and the headers are sent as they are."""
    lines = [f"{method} {target} HTTP/1.1"]
    if "Host" not in headers:
        lines.append("Host: 127.0.0.1")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def wire(draft: UnsignedRequest) -> bytes:
    """Writes a signed draft."""
    headers = {name.decode(): value.decode() for name, value in draft.headers}
    if draft.host:
        headers = {"Host": draft.host} | headers
    return get(draft.target.decode(), headers, draft.method, draft.body)


def without_noise(answer: bytes) -> str:
    """Drops the Date header and the reason phrase, and writes line ends as newlines."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    kept = [line for line in headers if not line.lower().startswith("date:")]
    return "\n".join([first[: len("HTTP/1.1 200")], *kept, "", body.decode()])
