"""The pages beside the providers and the control API: health, and the providers' documents."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mockserver.files.documents import openapi_document


async def _health(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _ready(request: Request) -> Response:
    if request.app.state.exchange.stopping:
        return PlainTextResponse("stopping\n", status_code=503)
    return PlainTextResponse("ready\n")


async def not_found(request: Request, error: Exception) -> Response:
    """Answers a path that leads to no provider and no page."""
    prefixes = ", ".join(f"/{name}" for name in request.app.state.exchange.providers)
    text = f"No provider here: start the path with {prefixes}, or call a provider's own port.\n"
    return PlainTextResponse(text, status_code=404)


async def _document(request: Request) -> Response:
    exchange = request.app.state.exchange
    name = exchange.routing.provider_at(request.scope)
    if name is None:
        return JSONResponse({"error": "a provider's port serves its document"}, status_code=404)
    here = f"{request.url.scheme}://{request.headers.get('host', '127.0.0.1')}"
    here += request.scope.get("root_path", "")
    servers = [{"url": here + exchange.providers[name].full_path()}]  # never the real exchange
    try:
        found = openapi_document(name) | {"servers": servers}
    except FileNotFoundError:
        return JSONResponse({"error": f"{name} has no openapi.yaml yet"}, status_code=404)
    return Response(json.dumps(found), media_type="application/json")


routes = [
    Route("/healthz", _health),
    Route("/readyz", _ready),
    Route("/openapi.json", _document),
]
