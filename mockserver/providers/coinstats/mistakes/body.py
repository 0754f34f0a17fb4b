"""Why CoinStats refused a body, or a parameter of the query.

Texts that a client sent are never shown, nor are names that nobody knows: an exchange's
secrets are among them.
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

# What clients call a name, without separators and in small letters.
ALIASES = {
    "connectionId": ("connectionid", "connection", "exchange", "exchangeid", "id"),
    "connectionFields": ("connectionfields", "fields", "credentials", "connectionfield"),
    "apiKey": ("apikey", "key", "accesskey", "publickey"),
    "apiSecret": ("apisecret", "secret", "secretkey", "apisecretkey", "privatekey"),
    "passphrase": ("passphrase", "password", "apipassphrase", "passwd"),
    "portfolioId": ("portfolioid", "portfolio", "id"),
}

KINDS = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list"}


def _kind(value: Any) -> str:
    """Says what a JSON value is without showing it."""
    return "null" if value is None else KINDS.get(type(value), "an object")


def texts(body: bytes) -> dict[str, str]:
    """Returns the names of the fields of a body's ``connectionFields`` by their texts."""
    fields = read(body).get("connectionFields")
    found = fields.items() if isinstance(fields, dict) else ()
    return {value: name for name, value in found if name in FIELDS and isinstance(value, str)}


def read(body: bytes) -> dict[str, Any]:
    """Returns the object that a body is; an empty one where that nests as deeply as can be."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _alias(wanted: str, names: Iterable[str]) -> str:
    """Returns a name that probably stands for another one, or nothing."""
    for name in names:
        if "".join(c for c in name.lower() if c.isalnum()) in ALIASES.get(wanted, ()):
            return name
    return ""


def parameter(refused: RejectedRequest) -> Explanation | None:
    """Explains a body that is no object, or the first parameter that is wrong."""
    name = refused.facts.get("parameter")
    if name is None:
        return _form(refused.request.body)
    if name == "portfolioId":
        return _portfolio_id(refused)
    outer, _, field = name.partition(".")
    body = read(refused.request.body)
    if field:
        return _field(field, body) if body else None
    if outer not in body:
        return _absent(outer, body)
    return _wrong(outer, body[outer])


# The body as a whole


def _form(body: bytes) -> Explanation:
    rule, told = next((row.rule, row.told) for row in FORMS if row.holds(body))
    if not told:
        rule, told = _broken(body)
    fix = "Send a JSON object, with Content-Type: application/json."
    return Explanation(rule, "a JSON object in UTF-8, each member given once", told, fix)


class Form(Struct, frozen=True):
    """What a body may be in the place of JSON."""

    rule: str
    told: str
    holds: Callable[[bytes], bool]


FORMS = (
    Form("empty body", "nothing", lambda body: not body.strip()),
    Form("UTF-16", "a body in UTF-16", lambda body: body[:2] in (b"\xff\xfe", b"\xfe\xff")),
    Form(
        "byte order mark",
        "a byte order mark before the JSON",
        lambda body: body.startswith(b"\xef\xbb\xbf"),
    ),
    Form(
        "form for JSON",
        "name=value, as forms are written",
        lambda body: body[:1].isalpha() and b"=" in body.partition(b"&")[0],
    ),
    Form("Python for JSON", "single quotes", lambda body: body.lstrip()[:2] in (b"{'", b"['")),
    Form("", "", lambda body: True),
)


def _broken(body: bytes) -> tuple[str, str]:
    """Returns which rule of JSON a body breaks, and where; never what stands there."""
    try:
        found = json.loads(body.decode(), object_pairs_hook=once_each)
    except (ValueError, RecursionError) as error:
        return _unread(error)
    if isinstance(found, dict):
        return "body is no JSON", "NaN or Infinity for a number"
    if isinstance(found, str) and found[:1] == "{":
        return "JSON written twice", "a text in which there is JSON"
    return "body is no object", _kind(found)


def _unread(error: Exception) -> tuple[str, str]:
    if isinstance(error, UnicodeDecodeError):
        return "body is not UTF-8", f"byte {error.start} is none of UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return "body is no JSON", f"{error.msg}, at character {error.pos}"
    return "body is no JSON", str(error)


# Its members


def _absent(name: str, given: Mapping[str, Any], inside: str = "") -> Explanation:
    alias = _alias(name, given)
    expected = f"the {inside or 'member'} {name}"
    if alias:
        return Explanation("misspelt name", expected, f"{alias}", f"Call it {name}.")
    return Explanation(f"{name} missing", expected, "none", f"Add {name}.")


def _wrong(name: str, value: Any) -> Explanation:
    if name == "connectionId" and isinstance(value, str):
        return _exchange(value)
    if name == "connectionFields":
        told = "a field that is no text" if isinstance(value, dict) else _kind(value)
        return Explanation(
            f"{name} of another type", "an object of texts", told, "Send an object, of texts alone."
        )
    if isinstance(value, str):
        fix = "Send UTF-8 without halves of surrogate pairs."
        return Explanation(f"{name} is no Unicode", "a text", "half of a surrogate pair", fix)
    return Explanation(f"{name} of another type", "a text", _kind(value), "Send a text.")


def _exchange(value: str) -> Explanation:
    names = {known.name: id for id, known in EXCHANGES.items()} | {id: id for id in EXCHANGES}
    near = nearest(value, names)
    other_case = near.lower() == value.lower()
    rule = "connectionId in another case" if other_case else "unknown connectionId"
    raw = value.encode("utf-8", "replace")
    told = printable(raw) if near else fingerprinted(raw)
    fix = f"Did you mean {names[near]}?" if near else "GET /v1/exchange/support lists them."
    return Explanation(rule, f"one of {', '.join(EXCHANGES)}", told, fix)


def _field(name: str, body: Mapping[str, Any]) -> Explanation:
    fields = body["connectionFields"]
    if fields.get(name, "") != "":
        return _wrong(name, fields[name])
    exchange = body["connectionId"]
    if name in fields:
        fix = "Look whether the variable is set from which it is taken."
        return Explanation(f"empty {name}", f"the {name} of {exchange}", "an empty text", fix)
    if name in body:
        fix = "Put the fields into connectionFields."
        told = f"{name} beside connectionFields"
        return Explanation("field in another place", f"connectionFields.{name}", told, fix)
    return _absent(name, fields, f"field of {exchange}")


def _portfolio_id(refused: RejectedRequest) -> Explanation:
    request = refused.request
    names = [name.decode("utf-8", "replace") for name, _ in raw_pairs(request.query)]
    if "portfolioId" in names:
        fix = "Send portfolio.id of the balance call."
        return Explanation("empty portfolioId", "a portfolio's id", "an empty one", fix)
    if any(v.where == "member" and v.name == "portfolioId" for v in sent_values(request)):
        fix = "Send portfolioId in the query."
        told = "portfolioId in the body"
        return Explanation(told, "portfolioId in the query", told, fix)
    return _absent("portfolioId", dict.fromkeys(names), "parameter")
