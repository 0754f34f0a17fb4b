"""The control API over HTTP, on the gateway only: who may call, what is read, what is sent.

Without an admin token only loopback Hosts are served; a foreign Origin is refused, and
what changes something must be JSON, which no page of another origin can send unasked.
"""

import hmac
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mockserver.edge.control.api import call
from mockserver.edge.control.stream import stream
from mockserver.edge.control.verb import Refused
from mockserver.wire import strict_yaml

LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
STREAM = re.compile(r"/sandboxes/([^/]+)/requests/stream")
PREFIX = "/__admin"
BODY_MAX = 4 * 1024 * 1024

encode = msgspec.json.Encoder().encode


async def endpoint(request: Request) -> Response:
    """Answers one call."""
    try:
        _admit(request)
        return await _answer(request)
    except Refused as refused:
        headers = {"allow": ", ".join(refused.allow)} if refused.allow else {}
        return _json(refused.status, refused.body, headers)


async def _answer(request: Request) -> Response:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    path = raw.decode("latin-1").removeprefix(PREFIX)
    if path == "/openapi.json" and request.method == "GET":
        return _json(200, document())
    streamed = STREAM.fullmatch(path)
    if streamed and request.method == "GET":
        lines = stream(request.app, streamed[1])
        return StreamingResponse(lines, media_type="text/event-stream")
    body = await _body(request)
    origin = f"{request.url.scheme}://{request.headers.get('host', '127.0.0.1')}"
    query = dict(request.query_params)
    status, answer = call(request.app, request.method, path, body, query, origin)
    return Response(status_code=status) if status == 204 else _json(status, answer)


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(body), status, headers, "application/json")


@cache
def document() -> Any:
    """Returns the control API's own OpenAPI document."""
    return strict_yaml.load(Path(__file__).with_name("openapi.yaml").read_text(encoding="utf-8"))


def _admit(request: Request) -> None:
    """Raises Refused for one who may not steer the server."""
    token, origin = request.app.admin_token, request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise Refused(403, "foreign origin", hint="call from the page's own origin, or no page")
    if token is not None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise Refused(401, "no admin token", hint="send Authorization: Bearer TOKEN")
    elif not LOOPBACK.fullmatch(request.headers.get("host", "")):
        raise Refused(403, "foreign host", hint="call 127.0.0.1, or set an admin token")


async def _body(request: Request) -> Any:
    """Reads the JSON body, None when there is none; raises Refused."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX:
            raise Refused(413, f"the body is larger than {BODY_MAX} bytes", hint="send less")
    if request.method in ("POST", "PUT", "PATCH"):
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Refused(415, "not JSON", hint="send Content-Type: application/json")
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused(400, f"the body is no JSON: {error}", hint="send one JSON value") from None


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"]

routes = [
    Route(PREFIX, endpoint, methods=METHODS),
    Route(PREFIX + "/{rest:path}", endpoint, methods=METHODS),
]
