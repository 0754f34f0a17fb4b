"""Explains ``uris``: compares its entries with the request, part by part."""

import re
from typing import Any
from urllib.parse import quote, unquote

from mockserver.explain import (
    Explanation,
    Mistake,
    RejectedRequest,
    explanation_for,
    fingerprinted,
    first_explanation,
    highlight_diff,
    printable,
    solve,
)
from mockserver.model.rule_table import Rule
from mockserver.providers.cdp import claims as verifier
from mockserver.providers.cdp.claims import BASE_PATH, HOST
from mockserver.providers.cdp.mistakes import lookup

ENTRIES_MAX = 8  # entries that are compared
API_PATH = re.compile(rf"{BASE_PATH}/v2/accounts(/[^/]+(/balances(/[^/]+)?)?)?")
WHOLE_URL = re.compile(r"://|^[^/]*https?:(/|$)")
HOST_TEXT = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,253}")
ENTRY = re.compile(
    r"(?:(?P<method>[^\s/]*(?=\s)|get|head|post|put|patch|delete|options)(?P<space>\s+|[^\w/]+))?"
    r"(?P<scheme>[a-z]+://)?(?P<host>[^/?]*)(?P<path>[^?]*)(?P<query>.*)",
    re.IGNORECASE | re.DOTALL,
)

# The claim

KNOWN = ("sub", "iss", "aud", "nbf", "iat", "exp", "jti", "uris", "uri", "url", "urls")

FIX_URIS = "Make uris a list of one string: method, space, host and path of the request."

CLAIM = (
    Rule("uris missing", lambda c: c.uris is None and c.uri is None),
    Rule("uris empty", lambda c: c.uris == []),
    Rule("uris is a string", lambda c: isinstance(c.uris, str)),
    Rule("uri is a list", lambda c: c.uris is None and isinstance(c.uri, list)),
    Rule("uri in place of uris", lambda c: c.uris is None and isinstance(c.uri, str)),
    Rule("uris contains no string", lambda c: True, FIX_URIS, "the claims {names}", "{right}"),
)


def explain_uris(rejected: RejectedRequest) -> Explanation | None:
    """Explains a token without an entry that names the request."""
    claims, form = lookup.read_token(rejected).claims, None
    texts = _texts(verifier.claimed_entries(claims, rejected.quirks))
    if not texts:
        uris, uri = claims.get("uris"), claims.get("uri")
        names = ", ".join(name for name in claims if name.lower() in KNOWN)
        right = printable(_right_entry(rejected).encode())
        form = first_explanation(CLAIM, uris=uris, uri=uri, names=names, right=right)
        texts = _texts(uri if uris is None else uris)
    if not texts:
        return form
    entries = [_read_entry(rejected, text) for text in texts[:ENTRIES_MAX]]
    broken, entry = min(((_broken(entry), entry) for entry in entries), key=lambda b: len(b[0]))
    rules = [form, *broken] if form else broken
    right, sent = _right_entry(rejected, entry["host"]), _redacted(**entry)
    expected, received = highlight_diff(right.encode(), sent.encode("utf-8", "surrogatepass"))
    if form and not broken:
        name = "uri" if claims.get("uris") is None else "uris"
        expected = f"uris, a list of strings: {expected}"
        received = f"{name}, {lookup.json_type(claims[name])}: {received}"
    rule, fix = " + ".join(r.rule for r in rules), " ".join(r.fix for r in rules)
    return Explanation(rule, expected, received, fix)


def _texts(claim: Any) -> list[str]:
    """Returns the entries of a claim, which may be one entry alone."""
    entries = claim if isinstance(claim, list) else [claim]
    return [entry for entry in entries if isinstance(entry, str)]


def _hosts(rejected: RejectedRequest) -> tuple[str, tuple[str, ...]]:
    """Returns the host to sign, which is the received one if it is accepted, and all accepted."""
    received = verifier.received_host(rejected.request).lower()
    accepted = verifier.allowed_hosts(received, rejected.quirks)
    return received if received and received in accepted else HOST, accepted


def _right_entry(rejected: RejectedRequest, host: str = "") -> str:
    """Returns an entry that would be accepted, with this host if that is accepted."""
    request = rejected.request
    if verifier.host_note(host, request, rejected.quirks) is None:
        host, _ = _hosts(rejected)
    return f"{request.method} {host}{request.full_path.decode('latin-1')}"


# The parts of an entry: of each the first row that matches counts

FIX_METHOD = "Start the entry with {right_method} and one space."
FIX_SPACE = "Put one space between method and host."
FIX_HOST = "Sign the host that the request is sent to: {right_host}."
FIX_URL = "Pass a path: a client with a base URL appends a whole URL to it and signs both."
FIX_PORT = "Use 127.0.0.1 for localhost: this client parses a host name as a scheme."
FIX_PREFIX = f"Omit the part of the base URL before {BASE_PATH}, or set strict_host to false."
FIX_ANEW = "Make a token for each request: this one is for {shown_path}."
FIX_SLASH = "Remove the slash at the end of the base URL."
FIX_AS_SENT = "Sign the path exactly as sent: whole, with its escapes."

METHOD = (
    Rule("method missing", lambda e: not e.method),
    Rule("method in lower case", lambda e: e.method != e.right_method == e.method.upper()),
    Rule("another method", lambda e: e.method != e.right_method, FIX_METHOD),
)
SPACE = (Rule("separator is not one space", lambda e: e.method and e.space != " ", FIX_SPACE),)
SCHEME = (Rule("scheme in the claim", lambda e: e.scheme, "Omit {scheme} in the entry."),)
QUERY = (Rule("query in the claim", lambda e: e.query, "End the entry before the question mark."),)
URL = (Rule("whole URL in the path", lambda e: e.is_whole_url, FIX_URL),)
HOST_RULES = (
    Rule("Host is not the real one", lambda e: not e.hosts, f"Send the header Host: {HOST}."),
    Rule("host missing", lambda e: not e.host),
    Rule("port in place of the host", lambda e: re.fullmatch(":?[0-9]{1,5}", e.host), FIX_PORT),
    Rule("another host", lambda e: _name(e.host) not in map(_name, e.hosts)),
    Rule("port missing", lambda e: _name(e.host) == e.host.lower()),
    Rule("another port", lambda e: True, FIX_HOST),
)
PATH = (
    Rule("path with this mock's prefix", lambda e: e.path == e.path_as_requested, FIX_PREFIX),
    Rule("{match.rule}", lambda e: _solve_path(e.right_path, e.path), "{match.fix}"),
    Rule("path missing", lambda e: not e.path, "Put the path after the host."),
    Rule("path in another case", lambda e: e.path.lower() == e.right_path.lower(), FIX_AS_SENT),
    Rule("path escaped in another way", lambda e: unquote(e.path) == e.plain_path, FIX_AS_SENT),
    Rule("token of another request", lambda e: API_PATH.fullmatch(e.path)),
    Rule("another path", lambda e: True, FIX_ANEW),
)


def _name(host: str) -> str:
    return re.sub(r":[0-9]*$", "", host.lower())


def _read_entry(rejected: RejectedRequest, text: str) -> dict[str, Any]:
    """Returns the parts of an entry, and the right ones."""
    request, quirks, match = rejected.request, rejected.quirks, ENTRY.match(text)
    parts = {name: part or "" for name, part in match.groupdict().items()} if match else {}
    right_host, hosts = _hosts(rejected)
    path = request.full_path.decode("latin-1")
    return {
        **parts,
        "right_method": request.method,
        "right_host": right_host,
        "hosts": hosts,
        "right_path": path,
        "shown_path": printable(path.encode()),
        "plain_path": unquote(path),
        "path_as_requested": request.raw_target_path.decode("latin-1"),
        "is_right_host": verifier.host_note(parts["host"], request, quirks) is not None,
        "is_right_path": verifier.path_note(parts["path"], request, quirks) is not None,
        "is_whole_url": WHOLE_URL.search(parts["host"] + parts["path"]),
    }


def _broken(entry: dict[str, Any]) -> list[Explanation]:
    """Returns what is wrong with each part of an entry; the verifier judges host and path."""
    host = () if entry["is_right_host"] else (HOST_RULES,)
    path = () if entry["is_right_path"] else (PATH,)
    tables = (URL,) if entry["is_whole_url"] else (SPACE, SCHEME, *host, *path, QUERY)
    explanations = [first_explanation(table, **entry) for table in (METHOD, *tables)]
    return [explanation for explanation in explanations if explanation is not None]


def _redacted(
    method: str, space: str, scheme: str, host: str, path: str, query: str, **_: Any
) -> str:
    """Returns an entry without the values of its query, and a fingerprint for an odd host."""
    plausible = HOST_TEXT.fullmatch(host) and (method or path)
    if host and not plausible:
        host = fingerprinted(host.encode("utf-8", "replace"))
    return f"{method}{space}{scheme}{host}{path}{re.sub('=[^&]*', '=...', query)}"


# Known mistakes of a path, of which there may be two

PATH_MISTAKES = (
    Mistake("base path missing", FIX_AS_SENT, lambda path: [path.removeprefix(BASE_PATH)]),
    Mistake("base path twice", FIX_AS_SENT, lambda path: [BASE_PATH + path]),
    Mistake("double slash", FIX_SLASH, lambda path: [path.replace("/v2", "//v2", 1), "/" + path]),
    Mistake("slash at the end", FIX_AS_SENT, lambda path: [path + "/"]),
    Mistake("slash missing", FIX_AS_SENT, lambda path: [path.removeprefix("/")]),
    Mistake("path unescaped", FIX_AS_SENT, lambda path: [unquote(path)]),
    Mistake("path escaped", FIX_AS_SENT, lambda path: [quote(path), quote(path, safe="")]),
)


def _solve_path(right: str, path: str) -> Explanation | None:
    solution = solve(right, PATH_MISTAKES, path.__eq__)
    return solution and explanation_for(solution[0], "", "")
