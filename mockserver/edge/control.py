"""The control API, on the gateway only: liveness, and what runs where.

Without an admin token only loopback Hosts are served; a foreign Origin is refused.
"""

import functools
import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)

Endpoint = Callable[[Request], Awaitable[Response]]


def guarded(endpoint: Endpoint) -> Endpoint:
    """Lets only those in who may steer the server."""

    @functools.wraps(endpoint)
    async def guard(request: Request) -> Response:
        refusal = _refusal(request)
        return JSONResponse(*refusal) if refusal else await endpoint(request)

    return guard


def _refusal(request: Request) -> tuple[dict[str, str], int] | None:
    app: Any = request.app
    token, origin = app.admin_token, request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        return _error(
            "foreign origin", "$", "call from the page's own origin, or from no page"
        ), 403
    if token is not None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return _error("no admin token", "$", "send Authorization: Bearer TOKEN"), 401
        return None
    if not LOOPBACK.fullmatch(request.headers.get("host", "")):
        return _error("foreign host", "$", "call 127.0.0.1, or set an admin token"), 403
    return None


def _error(error: str, at: str, hint: str) -> dict[str, str]:
    return {"error": error, "at": at, "hint": hint}


@guarded
async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


@guarded
async def _providers(request: Request) -> Response:
    app: Any = request.app
    return JSONResponse({name: describe(p) for name, p in app.providers.items()})


def describe(provider: Any) -> dict[str, Any]:
    """Returns a provider's operations, reasons, quirks, limits and events."""
    return {
        "title": provider.title,
        "operations": [{"id": r.id, "method": r.method, "path": r.path} for r in provider.routes],
        "reasons": sorted(provider.errors),
        "quirks": {
            q.name: {"default": q.default, "choices": list(q.choices), "about": q.about}
            for q in provider.quirks
        },
        "limits": {li.name: li.text for li in provider.limits},
        "events": [event.__struct_config__.tag for event in provider.events],
    }


routes = [
    Route("/__admin/health", _health),
    Route("/__admin/providers", _providers),
]
