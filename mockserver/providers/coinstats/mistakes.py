"""Explains what CoinStats rejects: a key, a body, exchange credentials, a portfolio, credits.

Neither the strings in a body nor unknown names are shown: they may be an exchange's secrets.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from mockserver.explain import (
    Explainer,
    Explanation,
    RejectedRequest,
    by_reason,
    fingerprinted,
    match_altered_key,
    printable,
    sent_values,
)
from mockserver.explain.plain_keys import explain_missing_key, explain_unknown_key
from mockserver.model.json_members import once_each
from mockserver.model.query import first, raw_pairs
from mockserver.model.rule_table import KeyRules, Rule, first_rule
from mockserver.model.suggestions import nearest
from mockserver.providers.coinstats.auth import PLACES, read_key
from mockserver.providers.coinstats.exchanges import EXCHANGES, FIELDS
from mockserver.providers.coinstats.usage import BALANCE_COST, STATUS_COST, SUPPORT_COST, SYNC_COST

IN_HEADER = "Send the key in the header X-API-KEY."
KEY_RULES = KeyRules(
    places=PLACES,
    expected="a key in X-API-KEY, or after Authorization: Bearer",
    misplaced={
        "header": ("key in another header", IN_HEADER),
        "parameter": ("key in the query", IN_HEADER),
        "member": ("key in the body", IN_HEADER),
    },
)

COSTS = {"balance": BALANCE_COST, "support": SUPPORT_COST, "status": STATUS_COST, "sync": SYNC_COST}


# The key


def _explain_wrong_key(rejected: RejectedRequest) -> Explanation | None:
    """Explains an unknown key; an exchange's key in its place, too."""
    explanation = explain_unknown_key(rejected, KEY_RULES)
    if explanation is not None:
        return explanation
    presented = read_key(rejected.request).decode("latin-1")
    sent = parse_object(rejected.request.body).get("connectionFields")
    exchange_values = {
        value: name
        for fields in (*(key.connection_fields for key in rejected.keys), sent)
        for name, value in (fields.items() if isinstance(fields, dict) else ())
        if name in FIELDS and isinstance(value, str)
    }
    if presented not in exchange_values:
        return None
    received = f"{fingerprinted(presented)}, the {exchange_values[presented]} of an exchange"
    fix = "Send a key of CoinStats here; an exchange's keys belong in connectionFields."
    return Explanation("exchange's key for the key", "a key of CoinStats", received, fix)


# Portfolios and credits


def _explain_portfolio(rejected: RejectedRequest) -> Explanation:
    id = first(rejected.request.query, "portfolioId")
    rule, fix = "connectionId for the portfolioId", "Send portfolio.id of the balance call."
    if id not in EXCHANGES:
        rule = "unknown portfolio"
        fix = "Call POST /v1/exchange/balance with this key first: it creates the portfolio."
    expected = "portfolio.id of a balance call with this key"
    return Explanation(rule, expected, printable(id.encode()), fix)


def _explain_credits(rejected: RejectedRequest) -> Explanation:
    cost = COSTS[rejected.request.path.decode("latin-1").rpartition("/")[2]]
    return Explanation(
        "credits exhausted",
        f"{cost} credits for this call",
        f"{rejected.facts['left']} left of {rejected.quirks['credits']}",
        "Reset the sandbox, use another key, or raise the quirk coinstats.credits.",
    )


def _explain_not_synced(rejected: RejectedRequest) -> Explanation:
    return Explanation(
        "not synced",
        "a portfolio whose status is synced",
        "one that is still syncing",
        "Poll GET /v1/exchange/status until it says synced, then retry.",
    )


# The body as a whole

TYPE_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    type(None): "null",
}


def parse_object(body: bytes) -> dict[str, Any]:
    """Parses a JSON object; returns an empty one for anything else, and where it nests too deep."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


WRONG_FORMATS = (
    Rule("empty body", lambda body: not body.strip(), received="nothing"),
    Rule("compressed body", re.compile(rb"\x1f\x8b").match, received="a body in gzip"),
    Rule("UTF-16", re.compile(rb"\xff\xfe|\xfe\xff").match, received="a body in UTF-16"),
    Rule(
        "byte order mark",
        re.compile(rb"\xef\xbb\xbf").match,
        received="a byte order mark before the JSON",
    ),
    Rule(
        "form for JSON", re.compile(rb"[A-Za-z][^&]*=").match, received="name=value, as in a form"
    ),
    Rule("Python for JSON", re.compile(rb"\s*[{\[]'").match, received="single quotes"),
)


def _explain_body(body: bytes) -> Explanation:
    row = first_rule(WRONG_FORMATS, body)
    rule, received = (row.name, row.received) if row else _syntax_error(body)
    fix = "Send a JSON object, with Content-Type: application/json."
    return Explanation(rule, "a JSON object in UTF-8, each member given once", received, fix)


def _syntax_error(body: bytes) -> tuple[str, str]:
    """Returns the rule of JSON that a body breaks, and the position; never the text there."""
    try:
        data = json.loads(body.decode(), object_pairs_hook=once_each)
    except UnicodeDecodeError as error:
        return "body is not UTF-8", f"byte {error.start} is not UTF-8"
    except json.JSONDecodeError as error:
        return "body is not JSON", f"{error.msg}, at character {error.pos}"
    except (ValueError, RecursionError) as error:
        return "body is not JSON", str(error)
    if isinstance(data, dict):
        return "body is not JSON", "NaN or Infinity for a number"
    if isinstance(data, str) and data[:1] == "{":
        return "JSON encoded twice", "a string that contains JSON"
    return "body is not an object", TYPE_NAMES[type(data)]


# Its members

# Other names that clients use, in lower case and without separators.
ALIASES = {
    "connectionId": ("connectionid", "connection", "exchange", "exchangeid", "id"),
    "connectionFields": ("connectionfields", "fields", "credentials", "connectionfield"),
    "apiKey": ("apikey", "key", "accesskey", "publickey"),
    "apiSecret": ("apisecret", "secret", "secretkey", "apisecretkey", "privatekey"),
    "passphrase": ("passphrase", "password", "apipassphrase", "passwd"),
    "portfolioId": ("portfolioid", "portfolio", "id"),
}


def explain_parameter(rejected: RejectedRequest) -> Explanation | None:
    """Explains a body that is not an object, or the first wrong parameter."""
    name = rejected.facts.get("parameter")
    if name is None:
        return _explain_body(rejected.request.body)
    if name == "portfolioId":
        return _portfolio_id(rejected)
    outer, _, field = name.partition(".")
    body = parse_object(rejected.request.body)
    if field:
        return _field(field, body) if body else None
    return _wrong_type(outer, body[outer]) if outer in body else _missing(outer, body, "member")


def _portfolio_id(rejected: RejectedRequest) -> Explanation:
    request = rejected.request
    names = [name.decode("utf-8", "replace") for name, _ in raw_pairs(request.query)]
    if "portfolioId" in names:
        fix = "Send portfolio.id of the balance call."
        return Explanation("empty portfolioId", "a portfolio's id", "an empty one", fix)
    if any(v.where == "member" and v.name == "portfolioId" for v in sent_values(request)):
        received, fix = "portfolioId in the body", "Send portfolioId in the query."
        return Explanation(received, "portfolioId in the query", received, fix)
    return _missing("portfolioId", names, "parameter")


def _missing(name: str, names: Iterable[str], kind: str) -> Explanation:
    """Explains a missing name, of those that are sent the one that probably stands for it."""
    expected = f"the {kind} {name}"
    for sent in names:
        if "".join(c for c in sent.lower() if c.isalnum()) in ALIASES.get(name, ()):
            return Explanation("misspelt name", expected, sent, f"Call it {name}.")
    return Explanation(f"{name} missing", expected, "none", f"Add {name}.")


def _field(name: str, body: Mapping[str, Any]) -> Explanation:
    fields, exchange = body["connectionFields"], body["connectionId"]
    if fields.get(name, "") != "":
        return _wrong_type(name, fields[name])
    if name in fields:
        fix = "Check that the variable that holds it is set."
        return Explanation(f"empty {name}", f"the {name} of {exchange}", "an empty string", fix)
    if name in body:
        received, fix = f"{name} next to connectionFields", "Put the fields into connectionFields."
        return Explanation("field in another place", f"connectionFields.{name}", received, fix)
    return _missing(name, fields, f"field of {exchange}")


def _wrong_type(name: str, value: Any) -> Explanation:
    if name == "connectionId" and isinstance(value, str):
        return _exchange(value)
    rule, received = f"{name} of another type", TYPE_NAMES.get(type(value), "an object")
    if name == "connectionFields":
        received = "a field that is not a string" if isinstance(value, dict) else received
        fix = "Send an object whose values are strings."
        return Explanation(rule, "an object of strings", received, fix)
    if isinstance(value, str):
        fix = "Send UTF-8 without halves of surrogate pairs."
        return Explanation(f"{name} is not Unicode", "a string", "half of a surrogate pair", fix)
    return Explanation(rule, "a string", received, "Send a string.")


def _exchange(value: str) -> Explanation:
    ids = {known.name: id for id, known in EXCHANGES.items()} | {id: id for id in EXCHANGES}
    raw, suggestion = value.encode("utf-8", "replace"), nearest(value, ids)
    other_case = suggestion.lower() == value.lower()
    rule = "connectionId in another case" if other_case else "unknown connectionId"
    received, fix = fingerprinted(raw), "GET /v1/exchange/support lists them."
    if suggestion:
        received, fix = printable(raw), f"Did you mean {ids[suggestion]}?"
    return Explanation(rule, f"one of {', '.join(EXCHANGES)}", received, fix)


# Credentials of an exchange


def explain_credentials(rejected: RejectedRequest) -> Explanation | None:
    """Explains fields that belong to no connection of the caller."""
    body = parse_object(rejected.request.body)
    if not body:
        return None
    exchange, fields = body["connectionId"], body["connectionFields"]
    connections: list[tuple[str, Mapping[str, str]]] = rejected.facts["connections"]
    for other, expected_fields in connections:
        if other != exchange and expected_fields.items() <= fields.items():
            return Explanation(
                "fields of another connection",
                f"the fields of {exchange}",
                f"those of {other}",
                f"Send connectionId {other}, or the fields of {exchange}.",
            )
    own = [expected_fields for other, expected_fields in connections if other == exchange]
    if own:
        return _wrong_fields(
            exchange, max(own, key=lambda o: len(o.items() & fields.items())), fields
        )
    return Explanation(
        "no such connection",
        f"the fields of a connection to {exchange} in this world",
        ", ".join(f"{name} {fingerprinted(fields[name])}" for name in EXCHANGES[exchange].fields),
        "Use the connectionId and the connectionFields of the world.",
    )


def _wrong_fields(
    exchange: str, expected_fields: Mapping[str, str], fields: Mapping[str, str]
) -> Explanation:
    wrong = {name: value for name, value in expected_fields.items() if fields.get(name) != value}
    swapped = sorted(fields.get(name, "") for name in wrong) == sorted(wrong.values())
    received = ", ".join(_field_text(name, wrong[name], fields.get(name, "")) for name in wrong)
    rule = " + ".join(f"wrong {name}" for name in wrong)
    fix = f"Send {' and '.join(wrong)} as the world has it for {exchange}."
    if swapped and len(wrong) > 1:
        rule, fix = f"{' and '.join(wrong)} swapped", "Send each under its own name."
    return Explanation(rule, f"the fields of the connection {exchange}", received, fix)


def _field_text(name: str, expected: str, sent: str) -> str:
    """Returns a field's fingerprint, and how its value was altered where that is known."""
    match = match_altered_key(sent.encode(), {expected.encode(): name})
    alterations = " + ".join(mistake.name for mistake in match[0]) if match is not None else ""
    return f"{name} {fingerprinted(sent)}" + (f" ({alterations})" if alterations else "")


EXPLAINERS: Mapping[str, Explainer] = {
    "missing_credential": partial(explain_missing_key, rules=KEY_RULES),
    "unknown_credential": _explain_wrong_key,
    "bad_request": explain_parameter,
    "bad_exchange_credentials": explain_credentials,
    "not_found": _explain_portfolio,
    "credits_exhausted": _explain_credits,
    "not_synced": _explain_not_synced,
}
explain = by_reason(EXPLAINERS)
