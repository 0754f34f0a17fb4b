"""Which request a token is for, compared with the one it came with, part by part."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote

from msgspec import Struct

from mockserver.explain import (
    Explanation,
    Mistake,
    RejectedRequest,
    fingerprinted,
    highlight_diff,
    printable,
    solve,
)
from mockserver.model.http import Request
from mockserver.providers.cdp.claims import HOST, HOSTS
from mockserver.providers.cdp.mistakes.names import presented

BASE = "/platform"
OURS = re.compile(r"/platform/v2/accounts(/[^/]+(/balances(/[^/]+)?)?)?")
HOST_SIGNS = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,253}")
PORT = re.compile(r":?[0-9]{1,5}")
FRONT = re.compile(
    r"(?:([^\s/]*)(\s+)|(get|head|post|put|patch|delete|options)([^\w/]+))?([a-z]+://)?",
    re.IGNORECASE,
)
ENTRIES_MAX = 8  # entries that are looked at

Rules = list[tuple[str, str]]  # what is wrong, and what to do


class Entry(Struct, frozen=True):
    """An entry of ``uris`` in its parts: ``GET``, blank, ``https://``, host, path, query."""

    method: str
    gap: str
    scheme: str
    host: str
    path: str
    query: str

    @property
    def plain(self) -> str:
        """The entry as it is shown: of the query the names, of a strange host a fingerprint."""
        known = HOST_SIGNS.fullmatch(self.host) and (self.method or self.path)
        host = (
            self.host
            if known or not self.host
            else fingerprinted(self.host.encode("utf-8", "replace"))
        )
        query = re.sub(r"=[^&]*", "=...", self.query)
        return f"{self.method}{self.gap}{self.scheme}{host}{self.path}{query}"


def explain(refused: RejectedRequest) -> Explanation:
    """Explains a token none of whose entries names the request."""
    claims = presented(refused).claims
    about, entries = _entries(claims, refused.quirks["strict_claims"] == "true")
    if not entries:
        return _none(refused, claims)
    judged = [(_differences(refused, entry), entry) for entry in entries]
    rules, entry = min(judged, key=lambda found: len(found[0]))
    told = entry.plain.encode("utf-8", "surrogatepass")
    expected, received = highlight_diff(_right(refused, entry).encode(), told)
    rules = [*about, *rules]
    return Explanation(
        " + ".join(rule for rule, _ in rules),
        expected,
        received,
        " ".join(fix for _, fix in rules),
    )


# The claim


def _entries(claims: Any, strict: bool) -> tuple[Rules, list[Entry]]:
    """Returns what is wrong with the claim itself, and the entries that it seems to mean."""
    uris, uri = claims.get("uris"), claims.get("uri")
    about: Rules = []
    found = [uri]
    if isinstance(uris, list):
        found = uris if strict else [*uris, uri]
    elif isinstance(uris, str):
        about, found = [("uris is a text", "Make uris a list of one text.")], [uris]
    elif isinstance(uri, list):
        about, found = [("uri is a list", "Call the list uris.")], uri
    elif strict:
        about = [("uri for uris", "Call it uris, and make it a list of one text.")]
    texts = [text for text in found[:ENTRIES_MAX] if isinstance(text, str)]
    return about, [_parsed(text) for text in texts]


def _parsed(text: str) -> Entry:
    front = FRONT.match(text)
    parts = [part or "" for part in front.groups()] if front else [""] * 5
    method, gap, scheme = parts[0] or parts[2], parts[1] or parts[3], parts[4]
    place, mark, query = text[len(method + gap + scheme) :].partition("?")
    host, slash, rest = place.partition("/")
    return Entry(method, gap, scheme, host, slash + rest, mark + query)


def _none(refused: RejectedRequest, claims: Any) -> Explanation:
    """Explains a token that names no request at all."""
    rule = "uris holds no text"
    if claims.get("uris") is None and claims.get("uri") is None:
        rule = "uris missing"
    elif claims.get("uris") == []:
        rule = "uris empty"
    fix = "Make uris a list of one text: method, space, host and path of the request."
    return Explanation(rule, printable(_right(refused, None).encode()), _names(claims), fix)


def _names(claims: Any) -> str:
    """Lists the claims that there are, by names that everybody knows."""
    known = ("sub", "iss", "aud", "nbf", "iat", "exp", "jti", "uris", "uri", "url", "urls")
    found = [name for name in claims if name.lower() in known]
    return f"the claims {', '.join(found)}"


def _right(refused: RejectedRequest, entry: Entry | None) -> str:
    """Returns the entry that would do, with the client's host where that is a good one."""
    request, hosts = refused.request, refused.facts["hosts"]
    host = entry.host if entry is not None and entry.host.lower() in hosts else _dialled(refused)
    return f"{request.method} {host}{request.path.decode('latin-1')}"


def _dialled(refused: RejectedRequest) -> str:
    hosts: tuple[str, ...] = refused.facts["hosts"]
    others = [host for host in hosts if host and host not in HOSTS]
    return [*others, *hosts, HOST][0]


# Its parts


def _differences(refused: RejectedRequest, entry: Entry) -> Rules:
    """Returns everything in which an entry differs from what it should be."""
    request = refused.request
    whole = entry.scheme + entry.host + entry.path
    if "://" in whole[len(entry.scheme) :] or entry.host.endswith(("http:", "https:")):
        fix = "Give the client paths: one with a base URL signs that and a whole URL behind it."
        return [*_method(request, entry), ("whole URL in the path", fix)]
    parts = (
        _method(request, entry),
        _gap(entry),
        _scheme(entry),
        _host(refused, entry),
        _path(refused, entry),
        _query(entry),
    )
    return [rule for part in parts for rule in part]


def _method(request: Request, entry: Entry) -> Rules:
    if entry.method == request.method:
        return []
    fix = f"Begin the entry with {request.method} and one space."
    if not entry.method:
        return [("method missing", fix)]
    if entry.method.upper() == request.method:
        return [("method in lower case", f"Write {request.method} in upper case.")]
    return [("another method", fix)]


def _gap(entry: Entry) -> Rules:
    if entry.gap == " " or not entry.method:
        return []
    return [("separator is not one space", "Put one space between method and host.")]


def _scheme(entry: Entry) -> Rules:
    if not entry.scheme:
        return []
    return [("scheme in the claim", f"Leave {entry.scheme} out: the entry begins with the host.")]


def _host(refused: RejectedRequest, entry: Entry) -> Rules:
    hosts: tuple[str, ...] = refused.facts["hosts"]
    host = entry.host.lower()
    if host and host in hosts:
        return []
    if not hosts:  # both strict quirks are on
        return [("Host is not the real one", f"Send the header Host: {HOST}.")]
    fix = f"Sign the host that the request is sent to: {_dialled(refused)}."
    if not host:
        return [("host missing", fix)]
    if PORT.fullmatch(host):
        fix = "Dial 127.0.0.1 in place of localhost: this client takes a name for a scheme."
        return [("port in place of the host", fix)]
    name = _portless(host)
    if name not in map(_portless, hosts):
        return [("another host", fix)]
    return [("port missing" if name == host else "another port", fix)]


def _portless(host: str) -> str:
    return re.sub(r":[0-9]*$", "", host)


def _query(entry: Entry) -> Rules:
    if not entry.query:
        return []
    return [("query in the claim", "Cut the entry before the question mark.")]


# The path


def _path(refused: RejectedRequest, entry: Entry) -> Rules:
    request = refused.request
    path, raw_target_path = (
        raw.decode("latin-1") for raw in (request.path, request.raw_target_path)
    )
    if entry.path == path or (
        entry.path == raw_target_path and refused.quirks["strict_host"] == "false"
    ):
        return []
    if entry.path == raw_target_path:
        fix = "Leave out what the base URL has before /platform, or set strict_host to false."
        return [("path as dialled", fix)]
    found = solve(path, PATHS, entry.path.__eq__)
    if found is not None:
        return [(mistake.name, mistake.fix) for mistake in found[0]]
    return [_another(entry.path, path)]


def _another(signed: str, path: str) -> tuple[str, str]:
    fix = f"Make a token for each request: this one is for {printable(path.encode())}."
    if not signed:
        return "path missing", "Put the path behind the host."
    if signed.lower() == path.lower():
        return "path in another case", "Sign the path as it is sent."
    if unquote(signed) == unquote(path):
        return "path escaped in another way", "Sign the path as it is sent, escapes included."
    if OURS.fullmatch(signed):
        return "token of another request", fix
    return "another path", fix


def _without_base(path: str) -> Iterable[str]:
    return [path.removeprefix(BASE)] if path.startswith(BASE + "/") else []


PATHS = (
    Mistake("base path missing", f"Sign the whole path, with {BASE}.", _without_base),
    Mistake("base path twice", f"Sign {BASE} once.", lambda p: [BASE + p]),
    Mistake(
        "double slash",
        "Drop the slash at the end of the base URL.",
        lambda p: [BASE + "/" + p.removeprefix(BASE), "/" + p],
    ),
    Mistake("slash at the end", "Sign the path as it is sent.", lambda p: [p + "/"]),
    Mistake("slash missing", "Begin the path with a slash.", lambda p: [p.removeprefix("/")]),
    Mistake(
        "path unescaped", "Sign the path as it is sent, escapes included.", lambda p: [unquote(p)]
    ),
    Mistake(
        "path escaped",
        "Sign the path as it is sent.",
        lambda p: [quote(p), quote(p, safe="")],
    ),
)
