"""The pages beside the providers and the control API: health, and the providers' documents."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mockserver.files.documents import openapi_document
from mockserver.version import __version__

LINKS = {
    "health": "/healthz",
    "control_api": "/__admin/openapi.json",
    "providers": "/__admin/providers",
    "sandboxes": "/__admin/sandboxes",
    "worlds": "/__admin/worlds",
    "scenarios": "/__admin/scenarios",
    "requests": "/__admin/sandboxes/default/requests",
    "metrics": "/metrics",
}


async def _health(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _root(request: Request) -> Response:
    """Returns the links that the gateway has, with the provider's base URLs."""
    exchange = request.app.state.exchange
    here = f"{request.url.scheme}://{request.headers.get('host', '127.0.0.1')}"
    here += request.scope.get("root_path", "")
    links = {name: here + path for name, path in LINKS.items()}
    base_urls = {name: exchange.base_url(name, origin=here) for name in exchange.providers}
    return JSONResponse({"version": __version__, "links": links, "base_urls": base_urls})


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
    Route("/", _root),
    Route("/healthz", _health),
    Route("/readyz", _ready),
    Route("/openapi.json", _document),
]
