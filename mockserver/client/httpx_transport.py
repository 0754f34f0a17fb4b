"""A transport for httpx clients, sync and async, that uses no socket."""

from typing import Any

import httpx

from mockserver.http.asgi import PEER, REQUEST_BODY_MAX, respond
from mockserver.http.delivery import NO_SOCKET
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
        whole = len(body) <= REQUEST_BODY_MAX
        received = Request(
            request.method,
            destination.path,
            query,
            headers,
            body if whole else b"",
            PEER,
            path,
            oversize=not whole,
        )
        sandbox = self._app.sandboxes.get(destination.sandbox)
        response = respond(destination, sandbox, received)
        if response.deliveries:
            raise RuntimeError(NO_SOCKET)
        return httpx.Response(
            response.status,
            headers=list(response.headers),
            content=response.body,
            request=request,
        )
