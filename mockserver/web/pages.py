"""Serves the pages and their assets, under a policy that runs nothing but these files.

The files hold no data: what a page shows, it reads from the control API, whose rules hold.
"""

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mockserver.version import __version__

ASSETS = Path(__file__).with_name("assets")
MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}
LINKS = {
    "dashboard": "/",
    "docs": "/docs",
    "facts": "/facts",
    "health": "/healthz",
    "control_api": "/__admin/openapi.json",
    "providers": "/__admin/providers",
    "sandboxes": "/__admin/sandboxes",
    "worlds": "/__admin/worlds",
    "scenarios": "/__admin/scenarios",
    "requests": "/__admin/sandboxes/default/requests",
    "metrics": "/metrics",
}


@cache
def _asset(name: str) -> tuple[bytes, str, str] | None:
    """Returns the content, the media type and the tag of an asset, None for an unknown name."""
    file = ASSETS / name
    media_type = MEDIA_TYPES.get(file.suffix)
    if media_type is None or name not in _names():
        return None
    content = file.read_bytes()
    return content, media_type, f'"{hashlib.sha256(content).hexdigest()[:16]}"'


@cache
def _names() -> frozenset[str]:
    return frozenset(file.name for file in ASSETS.iterdir())


def _send(request: Request, name: str) -> Response:
    found = _asset(name)
    if found is None:
        return PlainTextResponse("There is no such file.\n", 404, HEADERS)
    content, media_type, tag = found
    headers = HEADERS | {"etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


async def _root(request: Request) -> Response:
    """Returns the dashboard to a browser; else the links there are, and the base URLs."""
    if "text/html" in request.headers.get("accept", ""):
        return _send(request, "index.html")
    exchange = request.app.state.exchange
    here = f"{request.url.scheme}://{request.headers.get('host', '127.0.0.1')}"
    here += request.scope.get("root_path", "")
    links = {name: here + path for name, path in LINKS.items()}
    base_urls = {name: exchange.base_url(name, origin=here) for name in exchange.providers}
    body = {"version": __version__, "links": links, "base_urls": base_urls}
    return JSONResponse(body, headers={"vary": "accept"})


async def _docs(request: Request) -> Response:
    return _send(request, "docs.html")


async def _facts(request: Request) -> Response:
    return _send(request, "facts.html")


async def _file(request: Request) -> Response:
    return _send(request, request.path_params["name"])


routes = [
    Route("/", _root),
    Route("/docs", _docs),
    Route("/facts", _facts),
    Route("/web/{name}", _file),
]
