"""From ASGI to the pipeline and back: drain the body, answer, send."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mockserver.engine import pipeline
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import Sandboxes
from mockserver.http.date import date_as
from mockserver.http.delivery import deliver
from mockserver.http.routing import Destination
from mockserver.model.http import PEER, REQUEST_BODY_MAX, Request, Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# What is read and thrown away so that a client which sends before it listens hears its 413.
DRAIN_MAX = 16 * REQUEST_BODY_MAX

BODILESS = (204, 304)  # statuses whose responses have no body, and no length of one

PLAIN = ((b"content-type", b"text/plain; charset=utf-8"),)


class ClientDisconnected(Exception):
    """The client went away before its request was complete."""


async def serve(
    destination: Destination,
    sandboxes: Sandboxes,
    path: bytes,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answers one request for a provider."""
    try:
        body, whole = await _drain(receive)
    except ClientDisconnected:
        return
    client = scope.get("client")
    request = Request(
        scope["method"],
        destination.path,
        scope["query_string"],
        [(name, value) for name, value in scope["headers"]],
        body,
        client[0] if client else PEER,
        path,
        oversize=not whole,
    )
    sandbox = sandboxes.get(destination.sandbox)
    response = respond(destination, sandbox, request)
    start = _start(response, whole)
    if sandbox is not None and sandbox.clock.skew:
        date_as(sandbox.clock.read()[1], send)
    if sandbox is not None and response.deliveries:
        await deliver(response, start, sandbox, receive, send)
        return
    await send(start)
    await send({"type": "http.response.body", "body": response.body})


def respond(destination: Destination, sandbox: Sandbox | None, request: Request) -> Response:
    """Answers a request where it belongs."""
    if sandbox is None:
        return _no_sandbox(destination.sandbox)
    return pipeline.answer(sandbox, destination.provider, request)


async def _drain(receive: Receive) -> tuple[bytes, bool]:
    """Reads the body; of a larger one than BODY_MAX nothing, and False."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnected
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return (body, True) if len(body) <= REQUEST_BODY_MAX else (b"", False)
    parts, size = [body], len(body)
    while message.get("more_body") and size <= DRAIN_MAX:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        size += len(message.get("body", b""))
        if size <= REQUEST_BODY_MAX:
            parts.append(message.get("body", b""))
        else:
            parts.clear()
    return (b"".join(parts), True) if size <= REQUEST_BODY_MAX else (b"", False)


def _no_sandbox(id: str) -> Response:
    shown = id if id.isascii() and id.isprintable() and len(id) <= 64 else "with this id"
    return Response(404, PLAIN, f"There is no sandbox {shown}.\n".encode())


def _start(response: Response, whole: bool) -> dict[str, Any]:
    headers = [*response.headers]
    if response.status not in BODILESS:
        headers.append((b"content-length", b"%d" % len(response.body)))
    if not whole:
        headers.append((b"connection", b"close"))
    return {"type": "http.response.start", "status": response.status, "headers": headers}
