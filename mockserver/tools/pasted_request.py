"""Parses pasted requests: a curl line, an entry of a HAR, or the raw text of a request."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from mockserver.errors import UnreadableRequest
from mockserver.tools import curl_line as curl
from mockserver.tools.curl_line import shorten

SIZE_MAX = 4 * 1024 * 1024  # bytes of the input; one HAR entry with the largest body fits
REDACTED = re.compile(rb"\bredacted(?::|%3A)[0-9a-f]{8}\b", re.IGNORECASE)
OTHER_TOOLS = (
    (re.compile(r"(PS [^>]*>\s*)?(\$\w+\s*=|Invoke-|iwr\s|irm\s)", re.IGNORECASE), "PowerShell"),
    (re.compile(r"(\$\s*)?wget(\.exe)?\s"), "wget"),
    (re.compile(r"(\$\s*)?(https?|xhs?)\s"), "HTTPie"),
    (re.compile(r"(await\s+)?fetch\("), "JavaScript"),
)
BLANK_LINE = re.compile(r"\r?\n\r?\n")


class ParsedRequest(Struct, frozen=True):
    """A request: header names in lower case, path and query exactly as the client sent them."""

    method: str
    host: str
    port: int | None
    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


def read(raw: bytes) -> ParsedRequest:
    """Parses a request in any of the three forms; raises UnreadableRequest."""
    if len(raw) > SIZE_MAX:
        raise UnreadableRequest(f"more than {SIZE_MAX // 1024 // 1024} MiB: paste one request")
    try:
        text = raw.decode("utf-8-sig").lstrip()
    except UnicodeDecodeError as error:
        raise UnreadableRequest(f"this is not UTF-8 from byte {error.start} on") from None
    if not text:
        raise UnreadableRequest(
            "the input is empty: paste a curl line, a HAR entry or a raw request"
        )
    parsed = _parse(text)
    if b"\0" in b"".join((parsed.method.encode(), parsed.path, parsed.query)):
        raise UnreadableRequest("the request line contains NUL: no client can send it")
    if any(REDACTED.search(part) for part in _values(parsed)):
        raise UnreadableRequest(
            "the secrets of this request are redacted, so it cannot be checked again:"
            " the journal that it comes from has the explanation"
        )
    return parsed


def _parse(text: str) -> ParsedRequest:
    if text.startswith("{"):
        return _parse_har(text)
    if curl.PREFIX.match(text):
        method, url, headers, body = curl.parse_curl(text)
        return _from_url(method, url, headers, body)
    foreign = next((name for pattern, name in OTHER_TOOLS if pattern.match(text)), None)
    if foreign is not None:
        raise UnreadableRequest(
            f"this is a line of {foreign}, which cannot be read here:"
            " copy it as cURL, or paste the raw request"
        )
    return _parse_raw(text)


def _values(parsed: ParsedRequest) -> Iterable[bytes]:
    return (parsed.path, parsed.query, parsed.body, *(value for _, value in parsed.headers))


def _from_url(
    method: str, url: str, headers: Iterable[tuple[str, str]], body: str
) -> ParsedRequest:
    """Returns a request for a URL; adds the header Host with the URL's host unless there is one."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise UnreadableRequest(f"{shorten(url)} is not a URL: {error}") from None
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers]
    netloc = parts.netloc.rpartition("@")[2]
    if netloc and not any(name == b"host" for name, _ in encoded):
        encoded.insert(0, (b"host", netloc.encode()))
    path, query = (parts.path or "/").encode(), parts.query.encode()
    return ParsedRequest(method, parts.hostname or "", port, path, query, encoded, body.encode())


# HAR


def _parse_har(text: str) -> ParsedRequest:
    try:
        data = json.loads(text)
        while "request" not in data:
            data = data["log"]["entries"][-1] if "log" in data else data["entries"][-1]
        return _from_har_request(data["request"])
    except UnreadableRequest:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise UnreadableRequest(
            "this JSON is not a HAR entry: it has no request with method and url"
        ) from None


def _from_har_request(request: Mapping[str, Any]) -> ParsedRequest:
    headers = [
        (h["name"], h["value"]) for h in request.get("headers", []) if not h["name"].startswith(":")
    ]
    post_data = request.get("postData") or {}
    body = post_data.get("text")
    if body is None:
        body = urlencode([(p["name"], p.get("value", "")) for p in post_data.get("params", [])])
    return _from_url(request["method"].strip(), request["url"], headers, body)


# Raw text


def _parse_raw(text: str) -> ParsedRequest:
    blank_line = BLANK_LINE.search(text)
    head, body = (
        (text[: blank_line.start()], text[blank_line.end() :]) if blank_line else (text, "")
    )
    request_line, *lines = head.splitlines()
    words = request_line.split(" ")
    if len(words) not in (2, 3) or not (words[1].startswith("/") or "://" in words[1]):
        raise UnreadableRequest(
            f"{shorten(request_line)} is not a request line: write GET /path HTTP/1.1"
        )
    headers = [_header(line) for line in lines if line.strip()]
    host = next((value for name, value in headers if name.lower() == "host"), "")
    url = words[1] if "://" in words[1] else f"http://{host}"
    parsed = _from_url(words[0], url, headers, "")
    path, query = parsed.path, parsed.query
    if "://" not in words[1]:
        path, _, query = words[1].encode().partition(b"?")
    return ParsedRequest(
        parsed.method,
        parsed.host,
        parsed.port,
        path,
        query,
        parsed.headers,
        _body(body, parsed.headers),
    )


def _body(text: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Returns the body: as long as Content-Length says, otherwise without line ends at its end."""
    raw = text.encode()
    length = dict(headers).get(b"content-length", b"")
    if length.isdigit() and len(length) < 9:
        return raw[: int(length)]
    return raw.rstrip(b"\r\n")


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise UnreadableRequest(f"the header {shorten(line)} has no colon")
    return name.strip(), value.strip()
