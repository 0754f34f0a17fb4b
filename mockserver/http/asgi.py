"""A provider as an ASGI application: drains the body, responds, sends."""

from typing import Any

from mockserver.engine import pipeline
from mockserver.engine.pipeline import Outcome
from mockserver.engine.sandbox import Sandbox
from mockserver.faults.plan import delivery_script
from mockserver.faults.script import WaitStep
from mockserver.http import worker
from mockserver.http.delivery import Pause
from mockserver.http.encoding import BODILESS
from mockserver.http.exchange import Exchange, Receive, Scope, Send
from mockserver.http.parsing import DRAIN_MAX
from mockserver.http.routing import destination, no_sandbox
from mockserver.model.http import PEER, REQUEST_BODY_MAX, Request, Response, path_below


class ProviderApp:
    """One provider of an exchange; ``prefix`` is where it is mounted, if by its path."""

    def __init__(self, exchange: Exchange, provider: str, prefix: str = "") -> None:
        self._exchange = exchange
        self._provider = provider
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; closes what is no HTTP."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        body = await _drain(receive)
        if body is None:
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        path = path_below(raw, scope.get("root_path", ""))
        where = destination(self._provider, path_below(path, self._prefix))
        client = scope.get("client")
        request = Request.of(
            scope["method"],
            where.path,
            scope["query_string"],
            [(name, value) for name, value in scope["headers"]],
            body,
            base_path=self._exchange.routing.base_paths[self._provider],
            raw_target_path=raw,
            peer=client[0] if client else PEER,
        )
        sandbox = self._exchange.sandboxes.get(where.sandbox)
        if sandbox is None:
            outcome = Outcome(no_sandbox(where.sandbox))
        else:
            if self._provider in sandbox.large:
                outcome = await worker.respond(sandbox, self._provider, request, on_socket=False)
            else:
                outcome = pipeline.respond(sandbox, self._provider, request, on_socket=False)
            await _delay(outcome, sandbox)
        await send(_start(outcome.response, len(body) <= REQUEST_BODY_MAX))
        shown = b"" if scope["method"] == "HEAD" else outcome.response.body
        await send({"type": "http.response.body", "body": shown})


async def _delay(outcome: Outcome, sandbox: Sandbox) -> None:
    """Waits as the delays of an outcome say; without a socket there are no other deliveries."""
    for step in delivery_script(outcome.delivery, b"", b""):
        if isinstance(step, WaitStep):
            await Pause().wait(step, sandbox)


async def _drain(receive: Receive) -> bytes | None:
    """Reads the body, of one that is too large no more than shows it; None when the client left."""
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= DRAIN_MAX:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part: bytes = message.get("body", b"")
        if size <= REQUEST_BODY_MAX:
            parts.append(part)
        size += len(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _start(response: Response, whole: bool) -> dict[str, Any]:
    headers = list(response.headers)
    if response.status not in BODILESS:
        headers.append((b"content-length", b"%d" % len(response.body)))
    if not whole:
        headers.append((b"connection", b"close"))
    return {"type": "http.response.start", "status": response.status, "headers": headers}
