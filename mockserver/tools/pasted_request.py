"""Requests as people have them at hand: a curl line, an entry of a HAR, or the bytes themselves."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from mockserver.tools import curl_line as curl
from mockserver.tools.curl_line import Unreadable, cut

SIZE_MAX = 4 * 1024 * 1024  # bytes that are read; a body of the largest HAR entry is one
REDACTED = re.compile(rb"\bredacted(?::|%3A)[0-9a-f]{8}\b", re.IGNORECASE)
BLANK = re.compile(r"\r?\n\r?\n")


class ParsedRequest(Struct, frozen=True):
    """A request: header names in lower case, path and query as they were sent."""

    method: str
    host: str
    port: int | None
    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


def read(raw: bytes) -> ParsedRequest:
    """Reads a request from whichever of the three forms it has; raises Unreadable."""
    if len(raw) > SIZE_MAX:
        raise Unreadable(f"more than {SIZE_MAX // 1024 // 1024} MiB: give one request")
    try:
        start = raw.decode("utf-8-sig").lstrip()
    except UnicodeDecodeError as error:
        raise Unreadable(f"this is no UTF-8 from byte {error.start} on") from None
    if not start:
        raise Unreadable("nothing was given: paste a curl line, a HAR entry or a raw request")
    told = _read(start)
    if b"\0" in b"".join((told.method.encode(), told.path, told.query)):
        raise Unreadable("there is a NUL in the request line: no client can send it")
    if any(REDACTED.search(part) for part in _parts(told)):
        raise Unreadable(
            "its secrets were taken out when it was kept, so it cannot be judged again:"
            " the journal that it is from has the explanation"
        )
    return told


def _read(start: str) -> ParsedRequest:
    if start.startswith("{"):
        return _har(start)
    if curl.START.match(start):
        method, url, headers, body = curl.parse_curl(start)
        return _made(method, url, headers, body)
    return _raw(start)


def _parts(told: ParsedRequest) -> Iterable[bytes]:
    return (told.path, told.query, told.body, *(value for _, value in told.headers))


def _made(method: str, url: str, headers: Iterable[tuple[str, str]], body: str) -> ParsedRequest:
    """Makes a request of a URL, whose host stands in the header unless one is given."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise Unreadable(f"{cut(url)} is no URL: {error}") from None
    sent = [(name.lower().encode(), value.encode()) for name, value in headers]
    netloc = parts.netloc.rpartition("@")[2]
    if netloc and not any(name == b"host" for name, _ in sent):
        sent.insert(0, (b"host", netloc.encode()))
    path, query = (parts.path or "/").encode(), parts.query.encode()
    return ParsedRequest(method, parts.hostname or "", port, path, query, sent, body.encode())


# HAR


def _har(text: str) -> ParsedRequest:
    try:
        data = json.loads(text)
        while "request" not in data:
            data = data["log"]["entries"][-1] if "log" in data else data["entries"][-1]
        return _of_entry(data["request"])
    except Unreadable:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise Unreadable(
            "this JSON is no HAR entry: it has no request with method and url"
        ) from None


def _of_entry(request: Mapping[str, Any]) -> ParsedRequest:
    headers = [
        (h["name"], h["value"]) for h in request.get("headers", []) if not h["name"].startswith(":")
    ]
    posted = request.get("postData") or {}
    body = posted.get("text")
    if body is None:
        body = urlencode([(p["name"], p.get("value", "")) for p in posted.get("params", [])])
    return _made(request["method"].strip(), request["url"], headers, body)


# Raw


def _raw(text: str) -> ParsedRequest:
    blank = BLANK.search(text)
    head, body = (text[: blank.start()], text[blank.end() :]) if blank else (text, "")
    first, *lines = head.splitlines()
    words = first.split(" ")
    if len(words) not in (2, 3) or not (words[1].startswith("/") or "://" in words[1]):
        raise Unreadable(f"{cut(first)} begins no request: write GET /path HTTP/1.1")
    headers = [_header(line) for line in lines if line.strip()]
    host = next((value for name, value in headers if name.lower() == "host"), "")
    url = words[1] if "://" in words[1] else f"http://{host}"
    made = _made(words[0], url, headers, "")
    path, query = made.path, made.query
    if "://" not in words[1]:
        path, _, query = words[1].encode().partition(b"?")
    return ParsedRequest(
        made.method, made.host, made.port, path, query, made.headers, _body(body, made.headers)
    )


def _body(text: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Returns a body as long as its header says; without one, less the line ends of the paste."""
    raw = text.encode()
    length = dict(headers).get(b"content-length", b"")
    if length.isdigit() and len(length) < 9:
        return raw[: int(length)]
    return raw.rstrip(b"\r\n")


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise Unreadable(f"the header {cut(line)} has no colon")
    return name.strip(), value.strip()
