"""The body of ``POST /v1/exchange/balance``, checked member by member.

A refusal names the member and never shows its value: the body carries an exchange's secrets.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from msgspec import Struct

from mockserver.caches import Memo
from mockserver.model.http import Request
from mockserver.model.reject import Reject
from mockserver.model.unique_members import once_each
from mockserver.providers.coinstats.exchanges import EXCHANGES, FIELDS


class BalanceQuery(Struct, frozen=True):
    """Which exchange to ask, with which credentials, and what to call the portfolio."""

    exchange: str
    fields: dict[str, str]
    name: str | None


def parse_query(request: Request, path: Mapping[str, str]) -> BalanceQuery:
    """Reads the body, then looks whether that exchange can be asked; raises Reject."""
    return QUERIES[request.body]


def _read(text: bytes) -> BalanceQuery:
    body = _object(text)
    exchange = _text(body.get("connectionId"), "connectionId")
    fields = _fields(body.get("connectionFields"))
    name = _text(body["name"], "name") if "name" in body else None
    if exchange not in EXCHANGES:
        raise invalid("connectionId")
    for key in EXCHANGES[exchange].fields:
        if not fields.get(key):
            raise invalid(f"connectionFields.{key}")
    return BalanceQuery(exchange, fields, name)


QUERIES = Memo(_read, size=len)  # pollers send the same body again and again


def invalid(name: str) -> Reject:
    """Makes the refusal of a parameter."""
    return Reject("bad_request", parameter=name)


def _fields(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise invalid("connectionFields")
    for key, field in value.items():
        # Only a name that everybody knows is repeated.
        _text(field, f"connectionFields.{key}" if key in FIELDS else "connectionFields")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise invalid(name)
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise invalid(name) from None
    return value


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = DECODER.decode(body.decode())
    except (ValueError, RecursionError):
        raise Reject("bad_request") from None
    if not isinstance(found, dict):
        raise Reject("bad_request")
    return found


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


DECODER = json.JSONDecoder(object_pairs_hook=once_each, parse_constant=_no_number)
