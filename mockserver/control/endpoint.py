"""The control API over HTTP, on the gateway only: who may call, what is read, what is sent.

Without an admin token only loopback Hosts are served; a foreign Origin is refused, and
what changes something must be JSON, which no page of another origin can send unasked.
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

from mockserver.control.api import carry_out, find, not_allowed
from mockserver.control.chunks import chunks, has_items
from mockserver.control.routes import ControlError
from mockserver.control.stream import stream
from mockserver.engine.cors import host_of, is_foreign, is_loopback
from mockserver.files import strict_yaml
from mockserver.model.http import path_below
from mockserver.model.json_members import duplicate_member

STREAM = re.compile(r"/sandboxes/([^/]+)/requests/stream")
PREFIX = "/__admin"
DOCUMENT = "/openapi.json"
CONTROL_BODY_MAX = 4 * 1024 * 1024
LARGE = 64 * 1024  # bytes of a body that is searched in another thread
LINES = "application/x-ndjson"
WORKERS = 2  # large calls at once

T = TypeVar("T")

encode = msgspec.json.Encoder().encode


async def endpoint(request: Request) -> Response:
    """Answers one call."""
    try:
        _admit(request)
        return await _answer(request)
    except ControlError as refused:
        return _json(refused.status, refused.body, _headers(refused))


async def _answer(request: Request) -> Response:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    root = request.scope.get("root_path", "")
    path = path_below(raw, root).decode("latin-1").removeprefix(PREFIX)
    if path == DOCUMENT:
        _only_get(request, path)
        return _json(200, document())
    streamed = STREAM.fullmatch(path)
    if streamed:
        _only_get(request, path)
        request.scope["endless"] = True  # a client that closes its sending side has left
        lines = stream(request.app.state.exchange, unquote(streamed[1]))
        return StreamingResponse(lines, media_type="text/event-stream")
    body = await _body(request)
    origin = f"{request.url.scheme}://{request.headers.get('host', '127.0.0.1')}{root}"
    query = dict(request.query_params)
    verb, parameters = find(request.method, path)
    if verb.lines is not None and LINES in request.headers.get("accept", ""):
        verb = replace(verb, do=verb.lines, query=())
        asked = (request.app.state.exchange, verb, parameters, body, query, origin)
        _, rows = await _in_worker(carry_out, *asked)
        return StreamingResponse(_pieces(rows), media_type=LINES)
    asked = (request.app.state.exchange, verb, parameters, body, query, origin)
    status, answer = await _in_worker(carry_out, *asked) if verb.large else carry_out(*asked)
    if status == 204:
        return Response(status_code=status)
    if has_items(answer):
        return StreamingResponse(_pieces(chunks(answer)), status, media_type="application/json")
    return _json(status, answer)


async def _in_worker(do: Callable[..., T], *given: Any) -> T:
    """Does what may take a while where it does not keep requests waiting."""
    return await asyncio.get_running_loop().run_in_executor(_workers(), do, *given)


@cache
def _workers() -> ThreadPoolExecutor:
    """Returns the threads for large calls: few, since they share one interpreter with requests."""
    return ThreadPoolExecutor(WORKERS, "mockserver-control")


async def _pieces(made: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yields what an iterator makes, each piece made in a worker."""
    while piece := await _in_worker(next, made, b""):
        yield piece


def _headers(refused: ControlError) -> dict[str, str]:
    """Returns the headers that HTTP wants beside two of the statuses."""
    if refused.status == 401:
        return {"www-authenticate": "Bearer"}
    return {"allow": ", ".join(refused.allow)} if refused.allow else {}


def _only_get(request: Request, path: str) -> None:
    if request.method != "GET":
        raise not_allowed(request.method, path, ["GET"])
    for name in request.query_params:
        raise ControlError(400, f"no parameter {name}", f"?{name}", "it takes none")


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(body), status, headers, "application/json")


@cache
def document() -> Any:
    """Returns the control API's own OpenAPI document."""
    return strict_yaml.load(Path(__file__).with_name("openapi.yaml").read_text(encoding="utf-8"))


def _admit(request: Request) -> None:
    """Raises Refused for one who may not steer the server."""
    exchange, origin = request.app.state.exchange, request.headers.get("origin")
    token = exchange.admin_token
    host = request.headers.get("host", "")
    if origin is not None and is_foreign(origin, host):
        raise ControlError(
            403, "foreign origin", hint="call from the page's own origin, or no page"
        )
    if token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        genuine = hmac.compare_digest(given.strip().encode("latin-1"), token.strip().encode())
        if scheme.lower() != "bearer" or not genuine:
            raise ControlError(401, "no admin token", hint="send Authorization: Bearer TOKEN")
    elif not is_loopback(host_of(host)):
        raise ControlError(403, "foreign host", hint="call 127.0.0.1, or set an admin token")
    if exchange.routing.provider_at(request.scope) is not None:
        raise ControlError(403, "a provider's host", hint="call the gateway by a name of its own")


async def _body(request: Request) -> Any:
    """Reads the JSON body, None when there is none; raises Refused."""
    body = await _received(request)
    if request.method in ("POST", "PUT", "PATCH"):
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise ControlError(415, "not JSON", hint="send Content-Type: application/json")
    if not body:
        return None
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError(
            400, f"the body is no JSON: {error}", hint="send one JSON value"
        ) from None
    if value is None:
        raise ControlError(400, "null stands for nothing here", hint="send a value, or no body")
    place = await _duplicate_member(body)
    if place:
        raise ControlError(400, "the member is given twice", place, "give each member once")
    return value


async def _duplicate_member(body: bytes) -> str:
    """Returns the path of a member given twice, "" for none; raises Refused."""
    try:
        if len(body) > LARGE:
            return await asyncio.to_thread(duplicate_member, body)
        return duplicate_member(body)
    except RecursionError:
        raise ControlError(400, "nested too deeply", hint="nothing has changed") from None


async def _received(request: Request) -> bytes:
    """Receives a body; raises Refused, which a client that has left does not see."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > CONTROL_BODY_MAX:
                raise ControlError(
                    413, f"the body is larger than {CONTROL_BODY_MAX} bytes", hint="send less"
                )
    except ClientDisconnect:
        raise ControlError(400, "the body ends early", hint="send all of it") from None
    return bytes(body)


class Endpoint:
    """The ASGI application: one that is no function takes every method."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one call."""
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


routes = [Route(PREFIX, Endpoint()), Route(PREFIX + "/{rest:path}", Endpoint())]
