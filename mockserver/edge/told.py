"""Requests as people have them at hand: a curl line, an entry of a HAR, or the bytes themselves."""

import json
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json")

# curl's options that take a value and do not change the request.
ASIDE = {
    *("-o", "--output", "-w", "--write-out", "-m", "--max-time", "--connect-timeout", "-x"),
    *("--proxy", "--retry", "--cacert", "--cert", "--key", "--resolve", "--connect-to", "-b"),
    *("--cookie", "-c", "--cookie-jar", "-e", "--referer", "--limit-rate", "-D", "--dump-header"),
}
DATA = {"-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode", "--json"}
SHORT = "XHdAuowmxbceD"  # short options whose value may follow at once, as in -XPOST


class Unreadable(ValueError):
    """What was given is no request; says why."""


class Told(Struct, frozen=True):
    """A request: header names in lower case, path and query as they were sent."""

    method: str
    host: str
    port: int | None
    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


def read(text: str) -> Told:
    """Reads a request from whichever of the three forms it has; raises Unreadable."""
    start = text.lstrip()
    if not start:
        raise Unreadable("nothing was given: paste a curl line, a HAR entry or a raw request")
    if start.startswith("{"):
        return _har(start)
    if start.startswith(("curl ", "$ curl ")):
        return _curl(start.removeprefix("$ "))
    return _raw(start)


def _made(method: str, url: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Told:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise Unreadable(f"{url!r} is no URL: {error}") from None
    found = dict(reversed(headers))
    host = found.get(b"host", parts.netloc.encode()).decode("latin-1")
    if b"host" not in found:
        headers = [(b"host", host.encode("latin-1", "replace")), *headers]
    path, query = (parts.path or "/").encode(), parts.query.encode()
    return Told(method, parts.hostname or "", port, path, query, headers, body)


# HAR


def _har(text: str) -> Told:
    try:
        data = json.loads(text)
        while "request" not in data:
            data = data["log"]["entries"][-1] if "log" in data else data["entries"][-1]
        return _of_entry(data["request"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise Unreadable(
            "this JSON is no HAR entry: it has no request with method and url"
        ) from None


def _of_entry(request: Mapping[str, Any]) -> Told:
    headers = [
        (h["name"].lower().encode("latin-1"), h["value"].encode("latin-1", "replace"))
        for h in request.get("headers", [])
        if not h["name"].startswith(":")
    ]
    body = request.get("postData", {}).get("text", "").encode()
    return _made(request["method"], request["url"], headers, body)


# curl


def _curl(line: str) -> Told:
    try:
        words = shlex.split(line.replace("\\\r\n", " ").replace("\\\n", " "))[1:]
    except ValueError as error:
        raise Unreadable(f"this curl line cannot be read: {error}") from None
    given = _options(words)
    if len(given["url"]) != 1:
        raise Unreadable(f"a curl line with {len(given['url'])} URLs: give one")
    headers = [_header(text) for text in given["header"]]
    names = {name for name, _ in headers}
    url, data = given["url"][0], given["data"]
    body = "&".join(data).encode()
    if given["get"] and data:
        url += ("&" if "?" in url else "?") + body.decode()
        body = b""
    if given["json"]:
        headers += [JSON] if b"content-type" not in names else []
    elif body and b"content-type" not in names:
        headers.append(FORM)
    method = given["method"][-1] if given["method"] else "POST" if body else "GET"
    return _made(method, url, headers, body)


def _options(words: list[str]) -> dict[str, list[str]]:
    """Sorts curl's words; raises Unreadable for one that would change the request unseen."""
    given: dict[str, list[str]] = {
        name: [] for name in ("url", "header", "data", "method", "get", "json")
    }
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            given["url"].append(word)
            continue
        name, equals, value = word.partition("=")
        if not word.startswith("--") and len(word) > 2 and word[1] in SHORT:
            name, equals, value = word[:2], "=", word[2:]
        taker = _taker(name)
        if taker == "flag":
            given["get"] += ["yes"] if name in ("-G", "--get") else []
            continue
        if not equals:
            if not left:
                raise Unreadable(f"curl's {name} wants a value")
            value = left.pop(0)
        if taker == "data" and value.startswith("@"):
            raise Unreadable(f"curl's {name} {value} reads a file: paste its content instead")
        if taker:
            given[taker].append(value)
        given["json"] += ["yes"] if name == "--json" else []
    return given


def _taker(name: str) -> str:
    """Returns what an option's value is for, nothing where it does not matter, or ``flag``."""
    if name in DATA:
        return "data"
    if name in ("-F", "--form", "-T", "--upload-file", "-K", "--config"):
        raise Unreadable(f"curl's {name} is not understood here: give the raw request")
    known = {"-X": "method", "--request": "method", "-H": "header", "--header": "header"}
    known |= {"--url": "url", "-A": "", "--user-agent": "", "-u": "", "--user": ""}
    return known.get(name, "" if name in ASIDE else "flag")


def _header(line: str) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(":")
    if not colon:
        raise Unreadable(f"the header {line[:40]!r} has no colon")
    return name.strip().lower().encode("latin-1", "replace"), value.strip().encode(
        "latin-1", "replace"
    )


# Raw


def _raw(text: str) -> Told:
    head, blank, body = text.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.split("\n")
    words = first.split(" ")
    if len(words) not in (2, 3) or not (words[1].startswith("/") or "://" in words[1]):
        raise Unreadable(f"{first[:60]!r} begins no request: write GET /path HTTP/1.1")
    headers = [_header(line) for line in lines if line.strip()]
    host = dict(reversed(headers)).get(b"host", b"").decode("latin-1")
    url = words[1] if "://" in words[1] else f"http://{host}{words[1]}"
    return _made(words[0], url, headers, body.rstrip("\n").encode() if blank else b"")
