"""What faces people: health, the providers' documents, the control API; Starlette serves it."""

import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mockserver.control.endpoint import routes
from mockserver.files.documents import openapi_document


def compose(exchange: Any) -> Starlette:
    """Returns the ASGI application beside the providers of an exchange."""
    app = Starlette(
        routes=[Route("/healthz", _health), Route("/openapi.json", _document), *routes],
        exception_handlers={404: _not_found},
    )
    app.state.exchange = exchange
    return app


async def _health(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _not_found(request: Request, error: Exception) -> Response:
    prefixes = ", ".join(f"/{name}" for name in request.app.state.exchange.providers)
    told = f"No provider here: start the path with {prefixes}, or call a provider's own port.\n"
    return PlainTextResponse(told, status_code=404)


async def _document(request: Request) -> Response:
    exchange = request.app.state.exchange
    name = exchange.routing.provider_at(request.scope)
    if name is None:
        return JSONResponse({"error": "a provider's port serves its document"}, status_code=404)
    here = f"{request.url.scheme}://{request.headers.get('host', '127.0.0.1')}"
    servers = [{"url": here + exchange.providers[name].base_path}]  # never the real exchange
    try:
        found = openapi_document(name) | {"servers": servers}
    except FileNotFoundError:
        return JSONResponse({"error": f"{name} has no openapi.yaml yet"}, status_code=404)
    return Response(json.dumps(found), media_type="application/json")
