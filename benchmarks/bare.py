"""The least an ASGI application can do: the same answer to everybody, byte for byte ours."""

import asyncio
from types import SimpleNamespace
from typing import Any

from mockserver.http.bounds import Bounds
from mockserver.http.exchange import Exchange, Receive, Scope, Send
from mockserver.model.http import UnsignedRequest


class Bare:
    """Sends recorded ASGI messages; ``routing`` is there, and ``bounds``: our server sets them."""

    def __init__(self, start: dict[str, Any], body: dict[str, Any]) -> None:
        self.start, self.body = start, body
        self.routing = SimpleNamespace(ports={})
        self.bounds = Bounds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers anything at once; lets the server start and stop."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        await send(self.start)
        await send(self.body)


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def record(app: Exchange, provider: str, signed: UnsignedRequest) -> Bare:
    """Asks our application once, in process, and returns a bare one that says the same."""
    messages: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": signed.method,
        "path": f"/{provider}{signed.path.decode()}",
        "root_path": "",
        "raw_path": b"/" + provider.encode() + signed.path,
        "query_string": signed.query,
        "headers": [
            (b"host", signed.host.encode()),
            *((name.lower(), value) for name, value in signed.headers),
        ],
        "client": ("127.0.0.1", 1),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": signed.body}

    async def send(message: Any) -> None:
        messages.append(dict(message))

    asyncio.run(app(scope, receive, send))
    start, body = messages
    if start["status"] != 200:
        raise RuntimeError(f"{provider} answers {start['status']}: {body['body']!r}")
    return Bare(start, body)
