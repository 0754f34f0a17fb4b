"""A transport for httpx clients, sync and async, that uses no socket."""

from typing import Any

import httpx

from mockserver.engine import pipeline
from mockserver.engine.pipeline import NO_SOCKET, Outcome
from mockserver.http.routing import no_sandbox
from mockserver.model.http import Request

NOT_A_PROVIDER = "Only providers answer in process.\n"


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Passes requests directly to the pipeline of an application."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Returns the response to a request."""
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Returns the response to a request."""
        return self._answer(request, await request.aread())

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        path, _, query = request.url.raw_path.partition(b"?")
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        destination = self._app.routing.find(request.url.port, headers, path)
        if destination is None:
            return httpx.Response(404, text=NOT_A_PROVIDER, request=request)
        received = Request.of(
            request.method,
            destination.path,
            query,
            headers,
            body,
            base_path=self._app.routing.base_paths[destination.provider],
            raw_target_path=path,
        )
        sandbox = self._app.sandboxes.get(destination.sandbox)
        outcome = (
            pipeline.respond(sandbox, destination.provider, received)
            if sandbox is not None
            else Outcome(no_sandbox(destination.sandbox))
        )
        if outcome.delivery:
            raise RuntimeError(NO_SOCKET)
        response = outcome.response
        return httpx.Response(
            response.status,
            headers=list(response.headers),
            content=response.body,
            request=request,
        )
