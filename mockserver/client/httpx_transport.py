"""Requests answered without a socket: a transport for httpx clients, sync and async."""

from typing import Any

import httpx

from mockserver.http.asgi import respond
from mockserver.http.delivery import NO_SOCKET
from mockserver.model.http import PEER, REQUEST_BODY_MAX, Request

NOWHERE = "Only providers answer in process.\n"


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Hands requests straight to the pipeline of an application."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        return self._answer(request, await request.aread())

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        path, _, query = request.url.raw_path.partition(b"?")
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        destination = self._app.routing.find(request.url.port, headers, path)
        if destination is None:
            return httpx.Response(404, text=NOWHERE, request=request)
        whole = len(body) <= REQUEST_BODY_MAX
        asked = Request(
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
        told = respond(destination, sandbox, asked)
        if told.deliveries:
            raise RuntimeError(NO_SOCKET)
        return httpx.Response(
            told.status, headers=list(told.headers), content=told.body, request=request
        )
