"""Explains a body, or a parameter of the query, that CoinStats rejects.

Neither the strings that a client sent nor unknown names are shown: they may be an exchange's
secrets.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from mockserver.explain import (
    Explanation,
    RejectedRequest,
    fingerprinted,
    nearest,
    printable,
    sent_values,
)
from mockserver.model.query import raw_pairs
from mockserver.model.unique_members import once_each
from mockserver.providers.coinstats.exchanges import EXCHANGES, FIELDS

# Other names that clients use, in lower case and without separators.
ALIASES = {
    "connectionId": ("connectionid", "connection", "exchange", "exchangeid", "id"),
    "connectionFields": ("connectionfields", "fields", "credentials", "connectionfield"),
    "apiKey": ("apikey", "key", "accesskey", "publickey"),
    "apiSecret": ("apisecret", "secret", "secretkey", "apisecretkey", "privatekey"),
    "passphrase": ("passphrase", "password", "apipassphrase", "passwd"),
    "portfolioId": ("portfolioid", "portfolio", "id"),
}

TYPE_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
}


def _type_name(value: Any) -> str:
    """Returns the type of a JSON value, in words."""
    return "null" if value is None else TYPE_NAMES.get(type(value), "an object")


def field_names(body: bytes) -> dict[str, str]:
    """Returns the names of the known ``connectionFields`` in a body, by their values."""
    fields = parse_object(body).get("connectionFields")
    items = fields.items() if isinstance(fields, dict) else ()
    return {value: name for name, value in items if name in FIELDS and isinstance(value, str)}


def parse_object(body: bytes) -> dict[str, Any]:
    """Parses a JSON object; returns an empty one for anything else, and where it nests too deep."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _misspelling_of(known: str, names: Iterable[str]) -> str:
    """Returns the name that probably stands for a known one, or nothing."""
    for name in names:
        if "".join(c for c in name.lower() if c.isalnum()) in ALIASES.get(known, ()):
            return name
    return ""


def explain_parameter(rejected: RejectedRequest) -> Explanation | None:
    """Explains a body that is not an object, or the first wrong parameter."""
    name = rejected.facts.get("parameter")
    if name is None:
        return _whole_body(rejected.request.body)
    if name == "portfolioId":
        return _portfolio_id(rejected)
    outer, _, field = name.partition(".")
    body = parse_object(rejected.request.body)
    if field:
        return _field(field, body) if body else None
    if outer not in body:
        return _missing(outer, body)
    return _wrong_type(outer, body[outer])


# The body as a whole


def _whole_body(body: bytes) -> Explanation:
    wrong_format = next((row for row in WRONG_FORMATS if row.matches(body)), None)
    if wrong_format is not None:
        rule, received = wrong_format.rule, wrong_format.received
    else:
        rule, received = _syntax_error(body)
    fix = "Send a JSON object, with Content-Type: application/json."
    return Explanation(rule, "a JSON object in UTF-8, each member given once", received, fix)


class WrongFormat(Struct, frozen=True):
    """A format that clients send in place of JSON, recognised by ``matches``."""

    rule: str
    received: str
    matches: Callable[[bytes], bool]


WRONG_FORMATS = (
    WrongFormat("empty body", "nothing", lambda body: not body.strip()),
    WrongFormat("compressed body", "a body in gzip", lambda body: body.startswith(b"\x1f\x8b")),
    WrongFormat("UTF-16", "a body in UTF-16", lambda body: body[:2] in (b"\xff\xfe", b"\xfe\xff")),
    WrongFormat(
        "byte order mark",
        "a byte order mark before the JSON",
        lambda body: body.startswith(b"\xef\xbb\xbf"),
    ),
    WrongFormat(
        "form for JSON",
        "name=value, as in a form",
        lambda body: body[:1].isalpha() and b"=" in body.partition(b"&")[0],
    ),
    WrongFormat(
        "Python for JSON", "single quotes", lambda body: body.lstrip()[:2] in (b"{'", b"['")
    ),
)


def _syntax_error(body: bytes) -> tuple[str, str]:
    """Returns the rule of JSON that a body breaks, and the position; never the text there."""
    try:
        data = json.loads(body.decode(), object_pairs_hook=once_each)
    except (ValueError, RecursionError) as error:
        return _parse_error(error)
    if isinstance(data, dict):
        return "body is not JSON", "NaN or Infinity for a number"
    if isinstance(data, str) and data[:1] == "{":
        return "JSON encoded twice", "a string that contains JSON"
    return "body is not an object", _type_name(data)


def _parse_error(error: Exception) -> tuple[str, str]:
    if isinstance(error, UnicodeDecodeError):
        return "body is not UTF-8", f"byte {error.start} is not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return "body is not JSON", f"{error.msg}, at character {error.pos}"
    return "body is not JSON", str(error)


# Its members


def _missing(name: str, members: Mapping[str, Any], inside: str = "") -> Explanation:
    sent_name = _misspelling_of(name, members)
    expected = f"the {inside or 'member'} {name}"
    if sent_name:
        return Explanation("misspelt name", expected, sent_name, f"Call it {name}.")
    return Explanation(f"{name} missing", expected, "none", f"Add {name}.")


def _wrong_type(name: str, value: Any) -> Explanation:
    if name == "connectionId" and isinstance(value, str):
        return _exchange(value)
    if name == "connectionFields":
        received = "a field that is not a string" if isinstance(value, dict) else _type_name(value)
        fix = "Send an object whose values are strings."
        return Explanation(f"{name} of another type", "an object of strings", received, fix)
    if isinstance(value, str):
        fix = "Send UTF-8 without halves of surrogate pairs."
        return Explanation(f"{name} is not Unicode", "a string", "half of a surrogate pair", fix)
    return Explanation(f"{name} of another type", "a string", _type_name(value), "Send a string.")


def _exchange(value: str) -> Explanation:
    ids = {known.name: id for id, known in EXCHANGES.items()} | {id: id for id in EXCHANGES}
    suggestion = nearest(value, ids)
    other_case = suggestion.lower() == value.lower()
    rule = "connectionId in another case" if other_case else "unknown connectionId"
    raw = value.encode("utf-8", "replace")
    received = printable(raw) if suggestion else fingerprinted(raw)
    fix = (
        f"Did you mean {ids[suggestion]}?" if suggestion else "GET /v1/exchange/support lists them."
    )
    return Explanation(rule, f"one of {', '.join(EXCHANGES)}", received, fix)


def _field(name: str, body: Mapping[str, Any]) -> Explanation:
    fields = body["connectionFields"]
    if fields.get(name, "") != "":
        return _wrong_type(name, fields[name])
    exchange = body["connectionId"]
    if name in fields:
        fix = "Check that the variable that holds it is set."
        return Explanation(f"empty {name}", f"the {name} of {exchange}", "an empty string", fix)
    if name in body:
        fix = "Put the fields into connectionFields."
        received = f"{name} next to connectionFields"
        return Explanation("field in another place", f"connectionFields.{name}", received, fix)
    return _missing(name, fields, f"field of {exchange}")


def _portfolio_id(rejected: RejectedRequest) -> Explanation:
    request = rejected.request
    names = [name.decode("utf-8", "replace") for name, _ in raw_pairs(request.query)]
    if "portfolioId" in names:
        fix = "Send portfolio.id of the balance call."
        return Explanation("empty portfolioId", "a portfolio's id", "an empty one", fix)
    if any(v.where == "member" and v.name == "portfolioId" for v in sent_values(request)):
        fix = "Send portfolioId in the query."
        received = "portfolioId in the body"
        return Explanation(received, "portfolioId in the query", received, fix)
    return _missing("portfolioId", dict.fromkeys(names), "parameter")
