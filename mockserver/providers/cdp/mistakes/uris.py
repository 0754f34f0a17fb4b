"""Explains ``uris``: compares its entries with the request, part by part."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote

from msgspec import Struct
from msgspec.structs import asdict

from mockserver.explain import (
    Explanation,
    Mistake,
    RejectedRequest,
    fingerprinted,
    highlight_diff,
    printable,
    solve,
)
from mockserver.model.rule_table import Rule, first_rule
from mockserver.providers.cdp.claims import BASE_PATH, HOST, HOSTS
from mockserver.providers.cdp.mistakes.lookup import read_token

API_PATH = re.compile(rf"{BASE_PATH}/v2/accounts(/[^/]+(/balances(/[^/]+)?)?)?")
HOST_TEXT = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,253}")
PORT_ONLY = re.compile(r":?[0-9]{1,5}")
BEFORE_HOST = re.compile(
    r"(?:([^\s/]*)(\s+)|(get|head|post|put|patch|delete|options)([^\w/]+))?([a-z]+://)?",
    re.IGNORECASE,
)
ENTRIES_MAX = 8  # entries that are compared

FIX_AS_SENT = "Sign the path exactly as sent."
FIX_WITH_ESCAPES = "Sign the path exactly as sent, escapes included."

Rules = list[tuple[str, str]]  # rule and fix


class Entry(Struct, frozen=True):
    """An entry of ``uris`` in parts: ``GET``, space, ``https://``, host, path, query."""

    method: str
    separator: str
    scheme: str
    host: str
    path: str
    query: str

    @property
    def redacted(self) -> str:
        """The entry without the values of its query, and with a fingerprint for an odd host."""
        plausible = HOST_TEXT.fullmatch(self.host) and (self.method or self.path)
        host = self.host
        if host and not plausible:
            host = fingerprinted(host.encode("utf-8", "replace"))
        query = re.sub(r"=[^&]*", "=...", self.query)
        return f"{self.method}{self.separator}{self.scheme}{host}{self.path}{query}"


def explain_uris(rejected: RejectedRequest) -> Explanation:
    """Explains a token without an entry that names the request."""
    claims = read_token(rejected).claims
    claim_rules, entries = _entries(claims, rejected.quirks["strict_claims"] == "true")
    if not entries:
        return _explain_no_entry(rejected, claims)
    compared = [(_broken_rules(rejected, entry), entry) for entry in entries]
    entry_rules, entry = min(compared, key=lambda pair: len(pair[0]))
    sent = entry.redacted.encode("utf-8", "surrogatepass")
    expected, received = highlight_diff(_right_entry(rejected, entry).encode(), sent)
    rules = [*claim_rules, *entry_rules]
    return Explanation(
        " + ".join(rule for rule, _ in rules),
        expected,
        received,
        " ".join(fix for _, fix in rules),
    )


# The claim


def _entries(claims: Any, strict: bool) -> tuple[Rules, list[Entry]]:
    """Returns the broken rules of the claim itself, and the entries that it contains."""
    uris, uri = claims.get("uris"), claims.get("uri")
    rules: Rules = []
    candidates = [uri]
    if isinstance(uris, list):
        candidates = uris if strict else [*uris, uri]
    elif isinstance(uris, str):
        rules, candidates = [("uris is a string", "Make uris a list of one string.")], [uris]
    elif isinstance(uri, list):
        rules, candidates = [("uri is a list", "Rename uri to uris.")], uri
    elif strict:
        fix = "Rename uri to uris, and make it a list of one string."
        rules = [("uri in place of uris", fix)]
    texts = [text for text in candidates[:ENTRIES_MAX] if isinstance(text, str)]
    return rules, [_parse_entry(text) for text in texts]


def _parse_entry(text: str) -> Entry:
    match = BEFORE_HOST.match(text)
    parts = [part or "" for part in match.groups()] if match else [""] * 5
    method, separator, scheme = parts[0] or parts[2], parts[1] or parts[3], parts[4]
    location, mark, query = text[len(method + separator + scheme) :].partition("?")
    host, slash, rest = location.partition("/")
    return Entry(method, separator, scheme, host, slash + rest, mark + query)


def _explain_no_entry(rejected: RejectedRequest, claims: Any) -> Explanation:
    """Explains a token that names no request at all."""
    rule = "uris contains no string"
    if claims.get("uris") is None and claims.get("uri") is None:
        rule = "uris missing"
    elif claims.get("uris") == []:
        rule = "uris empty"
    expected = printable(_right_entry(rejected, None).encode())
    fix = "Make uris a list of one string: method, space, host and path of the request."
    return Explanation(rule, expected, _known_claims(claims), fix)


def _known_claims(claims: Any) -> str:
    """Lists the claims with well-known names; any other name might be a secret."""
    known = ("sub", "iss", "aud", "nbf", "iat", "exp", "jti", "uris", "uri", "url", "urls")
    return f"the claims {', '.join(name for name in claims if name.lower() in known)}"


def _right_entry(rejected: RejectedRequest, entry: Entry | None) -> str:
    """Returns an entry that would be accepted, with the client's host if that is accepted."""
    request, hosts = rejected.request, rejected.facts["hosts"]
    host = _preferred_host(rejected)
    if entry is not None and entry.host.lower() in hosts:
        host = entry.host
    return f"{request.method} {host}{request.full_path.decode('latin-1')}"


def _preferred_host(rejected: RejectedRequest) -> str:
    """Returns the host that the client connected to, or else a real one."""
    hosts: tuple[str, ...] = rejected.facts["hosts"]
    others = [host for host in hosts if host and host not in HOSTS]
    return [*others, *hosts, HOST][0]


# The parts of an entry


def _without_port(host: str) -> str:
    return re.sub(r":[0-9]*$", "", host)


class EntryContext(Struct, frozen=True):
    """What an entry is compared with, and what fixes are filled in from."""

    method: str
    scheme: str
    host: str
    hosts: tuple[str, ...]


FIX_METHOD = "Start the entry with {method} and one space."
FIX_HOST = "Sign the host that the request is sent to: {host}."
FIX_PORT = "Use 127.0.0.1 in place of localhost: this client parses a host name as a scheme."


def _names(context: EntryContext) -> Iterable[str]:
    return map(_without_port, context.hosts)


# For each part of an entry, rows with a test of the entry and of the context; the first counts.
METHOD_RULES = (
    Rule("method missing", lambda e, c: not e.method, FIX_METHOD),
    Rule(
        "method in lower case",
        lambda e, c: e.method != c.method == e.method.upper(),
        "Write {method} in upper case.",
    ),
    Rule("another method", lambda e, c: e.method != c.method, FIX_METHOD),
)
SEPARATOR_RULES = (
    Rule(
        "separator is not one space",
        lambda e, c: e.method and e.separator != " ",
        "Put one space between method and host.",
    ),
)
SCHEME_RULES = (
    Rule("scheme in the claim", lambda e, c: e.scheme, "Omit {scheme}: the entry has no scheme."),
)
RIGHT_HOST = Rule("", lambda e, c: e.host and e.host.lower() in c.hosts)
HOST_RULES = (
    Rule("Host is not the real one", lambda e, c: not c.hosts, f"Send the header Host: {HOST}."),
    Rule("host missing", lambda e, c: not e.host, FIX_HOST),
    Rule("port in place of the host", lambda e, c: PORT_ONLY.fullmatch(e.host), FIX_PORT),
    Rule("another host", lambda e, c: _without_port(e.host.lower()) not in _names(c), FIX_HOST),
    Rule("port missing", lambda e, c: _without_port(e.host) == e.host, FIX_HOST),
    Rule("another port", lambda e, c: True, FIX_HOST),
)
QUERY_RULES = (
    Rule("query in the claim", lambda e, c: e.query, "End the entry before the question mark."),
)
WHOLE_URL = (
    Rule(
        "whole URL in the path",
        lambda e, c: "://" in e.host + e.path or e.host.endswith(("http:", "https:")),
        "Pass a path: a client with a base URL appends a whole URL to it and signs both.",
    ),
)


def _broken_rules(rejected: RejectedRequest, entry: Entry) -> Rules:
    hosts = rejected.facts["hosts"]
    host = _preferred_host(rejected)
    context = EntryContext(rejected.request.method, entry.scheme, host, hosts)

    def broken(table: tuple[Rule, ...]) -> Rules:
        row = first_rule(table, entry, context)
        return [(row.name, row.fix.format(**asdict(context)))] if row else []

    if first_rule(WHOLE_URL, entry, context):
        return [*broken(METHOD_RULES), *broken(WHOLE_URL)]
    return [
        *broken(METHOD_RULES),
        *broken(SEPARATOR_RULES),
        *broken(SCHEME_RULES),
        *([] if RIGHT_HOST.matches(entry, context) else broken(HOST_RULES)),
        *_path_rules(rejected, entry),
        *broken(QUERY_RULES),
    ]


# The path


def _path_rules(rejected: RejectedRequest, entry: Entry) -> Rules:
    path = rejected.request.full_path.decode("latin-1")
    with_prefix = entry.path == rejected.request.raw_target_path.decode("latin-1")
    if entry.path == path or (with_prefix and rejected.quirks["strict_host"] == "false"):
        return []
    if with_prefix:
        fix = f"Omit the part of the base URL before {BASE_PATH}, or set strict_host to false."
        return [("path with this mock's prefix", fix)]
    solution = solve(path, PATH_MISTAKES, entry.path.__eq__)
    if solution is not None:
        return [(mistake.name, mistake.fix) for mistake in solution[0]]
    return [_other_path_rule(entry.path, path)]


def _other_path_rule(signed: str, path: str) -> tuple[str, str]:
    fix = f"Make a token for each request: this one is for {printable(path.encode())}."
    if not signed:
        return "path missing", "Put the path after the host."
    if signed.lower() == path.lower():
        return "path in another case", FIX_AS_SENT
    if unquote(signed) == unquote(path):
        return "path escaped in another way", FIX_WITH_ESCAPES
    if API_PATH.fullmatch(signed):
        return "token of another request", fix
    return "another path", fix


def _without_base_path(path: str) -> Iterable[str]:
    return [path.removeprefix(BASE_PATH)] if path.startswith(BASE_PATH + "/") else []


PATH_MISTAKES = (
    Mistake("base path missing", f"Sign the whole path, with {BASE_PATH}.", _without_base_path),
    Mistake("base path twice", f"Sign {BASE_PATH} once.", lambda p: [BASE_PATH + p]),
    Mistake(
        "double slash",
        "Remove the slash at the end of the base URL.",
        lambda p: [BASE_PATH + "/" + p.removeprefix(BASE_PATH), "/" + p],
    ),
    Mistake("slash at the end", FIX_AS_SENT, lambda p: [p + "/"]),
    Mistake("slash missing", "Start the path with a slash.", lambda p: [p.removeprefix("/")]),
    Mistake("path unescaped", FIX_WITH_ESCAPES, lambda p: [unquote(p)]),
    Mistake("path escaped", FIX_AS_SENT, lambda p: [quote(p), quote(p, safe="")]),
)
