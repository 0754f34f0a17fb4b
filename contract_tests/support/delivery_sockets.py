"""Signed requests over a socket, and the bytes that come back."""

import asyncio
import socket
import struct
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from contract_tests.clients.senders import DEADLINE, dial, typed
from contract_tests.support.raw import wire
from contract_tests.support.sockets import CONTINUE, dateless, read_response
from mockserver.client.provider import ProviderHandle
from mockserver.faults.script import Script, SendStep

OPEN, CLOSED, RESET = "open", "closed", "reset"
RULE = "mutate"
BLANK = b"\r\n\r\n"
BALANCES = "/v1/balances"


def ask(
    handle: ProviderHandle,
    target: str = BALANCES,
    method: str = "GET",
    body: bytes = b"",
    *extra: tuple[bytes, bytes],
) -> bytes:
    """Writes a signed request; what stands before the provider's path is not signed."""
    draft = handle.auth.sign(method, target, body, "127.0.0.1", typed(body))
    before = urlsplit(handle.base_url).path.encode()
    return wire(replace(draft, path=before + draft.path, headers=(*draft.headers, *extra)))


def reads(handle: ProviderHandle, *numbers: int) -> list[bytes]:
    """Writes reads that differ in a number, by which a rule can mean one of them."""
    return [ask(handle, f"{BALANCES}?n={n}") for n in numbers]


class Heard(NamedTuple):
    """What was received, and how that ended."""

    data: bytes
    end: str


def listen(connection: socket.socket, size: int) -> Heard:
    """Reads so many bytes, or to the end."""
    received = bytearray()
    try:
        while len(received) < size:
            part = connection.recv(min(size - len(received), 1 << 20))
            if not part:
                return Heard(bytes(received), CLOSED)
            received += part
    except ConnectionResetError:
        return Heard(bytes(received), RESET)
    return Heard(bytes(received), OPEN)


def parts(answer: bytes) -> tuple[bytes, bytes, bytes]:
    """Returns what comes before the final answer, its head with the blank line, and its body."""
    before = CONTINUE if answer.startswith(CONTINUE) else b""
    head, blank, body = answer[len(before) :].partition(BLANK)
    return before, head + blank, body


def once(handle: ProviderHandle, data: bytes) -> bytes:
    """Sends a request on a connection of its own; returns the answer, which is whole."""
    with dial(handle.base_url) as connection:
        connection.sendall(data)
        return dateless(read_response(connection))


LATE = 30  # seconds, so that a hang fails; no load makes what comes come too early


def said(steps: Script) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, SendStep))


def held(connection: socket.socket) -> None:
    """Holds that nothing comes, for longer than an answer takes."""
    connection.settimeout(0.15)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    connection.settimeout(DEADLINE)


async def tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def over(before: set[asyncio.Task[Any]]) -> None:
    """Returns when no other tasks are there than before."""
    async with asyncio.timeout(DEADLINE):
        while rest := await tasks() - before:
            await asyncio.wait(rest)


def abort(*connections: socket.socket) -> None:
    """Ends connections by a reset: an end of what is sent alone would not be one of hearing."""
    for connection in connections:
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
