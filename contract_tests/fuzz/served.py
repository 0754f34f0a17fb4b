"""The server under fuzz: its process, and connections that send requests and read responses."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

from mockserver.client.remote import RemoteServer

DEADLINE = 30  # seconds until something that hangs is a failure
COMMAND = [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--json"]
TROUBLE = re.compile(r"Traceback|internal error|ERROR|CRITICAL|Exception ignored|Warning:")
LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]+)\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: chunked\r\n", re.IGNORECASE)
PAGE = 4096  # bytes of a page of memory


class Wrong(Exception):
    """An invariant does not hold."""


class Response(NamedTuple):
    """What a client sees of a response."""

    status: int
    body: bytes


class Server:
    """A server in a process of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.gateway: str = json.loads(process.stdout.readline())["gateway"]
        self.remote = RemoteServer(self.gateway)
        self._log = log
        self._read = 0

    @property
    def memory(self) -> int:
        """Bytes of resident memory; 0 where the machine does not say."""
        try:
            pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        except OSError:
            return 0
        return int(pages) * PAGE

    @property
    def accounted(self) -> int:
        """Bytes of journals, stored responses and caches, as health counts them."""
        with urlopen(f"{self.gateway}/__admin/health", timeout=DEADLINE) as response:
            memory = json.load(response)["memory"]
        return int(memory["used"]) + int(memory["caches"])

    @property
    def files(self) -> int:
        """Open file descriptors; 0 where the machine does not say."""
        try:
            return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
        except OSError:
            return 0

    def check(self) -> None:
        """Raises Wrong when the server has ended or has logged an error since the last check."""
        if self.process.poll() is not None:
            raise Wrong(f"the server has ended with {self.process.returncode}")
        with self._log.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        for line in new.decode("utf-8", "replace").splitlines():
            if TROUBLE.search(line):
                raise Wrong(f"the server logged: {line}")


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Runs a server for as long as the block runs; it stops by itself when asked to."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with (
            log.open("wb") as stderr,
            subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=stderr) as process,
        ):
            try:
                yield Server(process, log)
            finally:
                process.terminate()
                try:
                    process.wait(DEADLINE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise


def dial(url: str) -> socket.socket:
    """Connects to the address of a URL."""
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), DEADLINE)


class Pipeline:
    """A keep-alive connection: many requests at once, then as many responses."""

    def __init__(self, url: str) -> None:
        self._socket = dial(url)
        self.received = b""

    def send(self, data: bytes) -> None:
        """Sends requests."""
        self._socket.sendall(data)

    def receive(self, *, bodiless: bool) -> Response:
        """Reads one response; ``bodiless`` is the one to HEAD. Raises Wrong when none comes."""
        while (end := self.received.find(b"\r\n\r\n")) < 0:
            self._more()
        head, start = self.received[: end + 2], end + 4
        if not head.startswith(b"HTTP/1.1 "):
            raise Wrong(f"no response: {head!r}")
        length, status = LENGTH.search(head), int(head[9:12])
        if bodiless:
            stop = start
        elif length:
            stop = start + int(length[1])
        elif CHUNKED.search(head):
            while (last := self.received.find(b"0\r\n\r\n", start)) < 0:
                self._more()
            stop = last + 5
        else:
            stop = start
        while len(self.received) < stop:
            self._more()
        body, self.received = self.received[start:stop], self.received[stop:]
        return Response(status, body)

    def _more(self) -> None:
        try:
            part = self._socket.recv(1 << 18)
        except TimeoutError:
            raise Wrong(f"no response in {DEADLINE} s") from None
        if not part:
            raise Wrong(f"the connection ended without a response: {self.received[:200]!r}")
        self.received += part

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()


def heard(url: str, parts: list[bytes]) -> bytes:
    """Sends parts over a connection of their own and ends sending; returns all that comes back.

    Raises Wrong when the server does not end the connection.
    """
    received = bytearray()
    with dial(url) as connection:
        with contextlib.suppress(OSError):  # the server may have ended the connection
            for part in parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
        try:
            while part := connection.recv(1 << 18):
                received += part
        except TimeoutError:
            raise Wrong(f"no end in {DEADLINE} s\n{b''.join(parts)!r}") from None
        except ConnectionResetError:
            pass  # it ended with data unread
    return bytes(received)
