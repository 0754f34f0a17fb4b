"""The control API over HTTP, on the gateway only: admission, reading bodies, sending responses.

Without an admin token only loopback Hosts are served. A foreign Origin is refused, and calls
that change something must be JSON: a page of another origin cannot send that unasked.
"""

import asyncio
import hmac
import re
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mockserver.control.api import carry_out, find
from mockserver.control.chunks import chunks, has_items
from mockserver.control.live import live
from mockserver.control.routes import MethodNotAllowed
from mockserver.control.stream import stream
from mockserver.engine.cors import host_of, is_foreign, is_loopback
from mockserver.engine.sandboxes import DEFAULT
from mockserver.errors import ControlError, DataPath, InvalidCall, json_path
from mockserver.files import strict_yaml
from mockserver.model.http import path_below
from mockserver.model.json_members import duplicate_member
from mockserver.model.suggestions import choices

STREAM = re.compile(r"/sandboxes/([^/]+)/requests/stream")
LIVE = "/live"
PREFIX = "/__admin"
DOCUMENT = "/openapi.json"
CONTROL_BODY_MAX = 4 * 1024 * 1024
LARGE_BODY = 64 * 1024  # bytes; larger ones are searched for duplicate members in another thread
LINES = "application/x-ndjson"
WORKERS = 2  # threads for large calls: few, since they share one interpreter with requests

T = TypeVar("T")

encode = msgspec.json.Encoder().encode


async def endpoint(request: Request) -> Response:
    """Handles one call."""
    try:
        check_access(request)
        return await _respond(request)
    except ControlError as error:
        return error_response(error)


async def _respond(request: Request) -> Response:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    root = request.scope.get("root_path", "")
    path = path_below(raw, root).decode("latin-1").removeprefix(PREFIX)
    if path == DOCUMENT:
        _check_plain_get(request, path)
        return _json(200, document())
    events = _stream(request, path)
    if events is not None:
        return StreamingResponse(events, media_type="text/event-stream")
    route, parameters = find(request.method, path)
    body = await _read_body(request, route.body is not None)
    origin = f"{request.url.scheme}://{request.headers.get('host', '127.0.0.1')}{root}"
    query = dict(request.query_params)
    lines = route.stream_lines if LINES in request.headers.get("accept", "") else None
    if lines is not None:
        route = replace(route, handler=lines, query=())
    call = (request.app.state.exchange, route, parameters, body, query, origin)
    status, result = await _in_worker(carry_out, *call) if route.large else carry_out(*call)
    if lines is not None:
        return StreamingResponse(_chunks_in_worker(result), media_type=LINES)
    if status == 204:
        return Response(status_code=status)
    if has_items(result):
        content = _chunks_in_worker(chunks(result))
        return StreamingResponse(content, status, media_type="application/json")
    return _json(status, result)


def _stream(request: Request, path: str) -> AsyncIterator[bytes] | None:
    """Returns the server-sent events of a path that has some; raises ControlError."""
    streamed = STREAM.fullmatch(path)
    if streamed:
        _check_plain_get(request, path)
        return stream(request.app.state.exchange, unquote(streamed[1]))
    if path == LIVE:
        _check_plain_get(request, path, "follow")
        return live(request.app.state.exchange, request.query_params.get("follow", DEFAULT))
    return None


async def _in_worker(function: Callable[..., T], *arguments: Any) -> T:
    """Calls a function that may take long in another thread."""
    return await asyncio.get_running_loop().run_in_executor(_workers(), function, *arguments)


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, "mockserver-control")


async def _chunks_in_worker(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yields the chunks of an iterator, each built in another thread."""
    while chunk := await _in_worker(next, chunks, b""):
        yield chunk


def error_response(error: ControlError) -> Response:
    """Returns the response of a refused call."""
    return _json(error.status, error.body, _error_headers(error))


def _error_headers(error: ControlError) -> dict[str, str]:
    """Returns the headers that HTTP requires with two of the statuses."""
    if isinstance(error, MethodNotAllowed):
        return {"allow": ", ".join(error.allowed)}
    return {"www-authenticate": "Bearer"} if error.status == 401 else {}


def _check_plain_get(request: Request, path: str, *known: str) -> None:
    """Raises ControlError for another method than GET, and for a parameter that is not known."""
    if request.method != "GET":
        raise MethodNotAllowed(request.method, path, ["GET"])
    for name in request.query_params:
        if name not in known:
            hint = choices(name, known) if known else "it takes none"
            raise InvalidCall(f"no parameter {name}", f"?{name}", hint)


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(body), status, headers, "application/json")


@cache
def document() -> Any:
    """Returns the control API's own OpenAPI document."""
    return strict_yaml.load(Path(__file__).with_name("openapi.yaml").read_text(encoding="utf-8"))


def check_access(request: Request) -> None:
    """Raises ControlError for a caller that may not use the control API."""
    exchange, origin = request.app.state.exchange, request.headers.get("origin")
    host = request.headers.get("host", "")
    if origin is not None and is_foreign(origin, host):
        hint = "call from the page's own origin, or no page"
        raise ControlError(403, "foreign origin", hint=hint)
    if exchange.admin_token is not None:
        _check_token(request.headers.get("authorization", ""), exchange.admin_token)
    elif not is_loopback(host_of(host)):
        raise ControlError(403, "foreign host", hint="call 127.0.0.1, or set an admin token")
    if exchange.routing.provider_at(request.scope) is not None:
        raise ControlError(403, "a provider's host", hint="call the gateway by a name of its own")


def _check_token(authorization: str, token: str) -> None:
    scheme, _, sent = authorization.partition(" ")
    same = hmac.compare_digest(sent.strip().encode("latin-1"), token.strip().encode())
    if scheme.lower() != "bearer" or not same:
        raise ControlError(401, "no admin token", hint="send Authorization: Bearer TOKEN")


async def _read_body(request: Request, takes_body: bool) -> Any:
    """Reads the JSON body; returns None when there is none. Raises ControlError.

    A call that takes no body needs no media type: it has a foreign Origin where a page sends it.
    """
    body = await _receive_body(request)
    if takes_body and request.method in ("POST", "PUT", "PATCH"):
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise ControlError(415, "not JSON", hint="send Content-Type: application/json")
    if not body:
        return None
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidCall(f"the body is not JSON: {error}", hint="send one JSON value") from None
    if value is None:
        raise InvalidCall("the body is null", hint="send a value, or no body")
    duplicate = await _duplicate_member(body)
    if duplicate is not None:
        at = json_path(duplicate)
        raise InvalidCall("the member is given twice", at, "give each member once")
    return value


async def _duplicate_member(body: bytes) -> DataPath | None:
    """Returns the path of a duplicate member, None for none; raises InvalidCall."""
    try:
        if len(body) > LARGE_BODY:
            return await asyncio.to_thread(duplicate_member, body)
        return duplicate_member(body)
    except RecursionError:
        raise InvalidCall("nested too deeply", hint="nothing has changed") from None


async def _receive_body(request: Request) -> bytes:
    """Receives a body; raises ControlError, which a client that has left does not see."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > CONTROL_BODY_MAX:
                error = f"the body is larger than {CONTROL_BODY_MAX} bytes"
                raise ControlError(413, error, hint="send less")
    except ClientDisconnect:
        raise InvalidCall("the body ends early", hint="send all of it") from None
    return bytes(body)


class Endpoint:
    """The ASGI application; Starlette gives every method to one that is not a function."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one call."""
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


routes = [Route(PREFIX, Endpoint()), Route(PREFIX + "/{rest:path}", Endpoint())]
