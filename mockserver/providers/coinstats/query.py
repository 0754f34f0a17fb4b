"""The body of ``POST /v1/exchange/balance``, checked member by member.

An error names the member and never shows its value: the body carries an exchange's secrets.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from msgspec import Struct

from mockserver.caches import MIB, cached
from mockserver.model.http import Request
from mockserver.model.json_members import once_each
from mockserver.model.reject import Reject
from mockserver.providers.coinstats.exchanges import EXCHANGES, FIELDS


class BalanceQuery(Struct, frozen=True):
    """The exchange to ask, the credentials there, and the name of the portfolio."""

    exchange: str
    fields: dict[str, str]
    name: str | None


def parse_query(request: Request, path: Mapping[str, str]) -> BalanceQuery:
    """Parses the body and checks the exchange's fields; raises Reject."""
    return _parse_body(request.body)  # fact: coinstats-body-media-type


# Pollers send the same body again and again.
# fact: coinstats-invalid-member-order, coinstats-body-unknown-member
@cached("coinstats bodies", size=lambda body: 200 + 4 * len(body), room=12 * MIB)
def _parse_body(raw: bytes) -> BalanceQuery:
    body = _object(raw)
    exchange = _text(body.get("connectionId"), "connectionId")  # fact: coinstats-body-members
    fields = _fields(body.get("connectionFields"))
    # fact: coinstats-body-name, coinstats-name-null
    name = _text(body["name"], "name") if "name" in body else None
    if exchange not in EXCHANGES:  # fact: coinstats-unknown-connection
        raise invalid_parameter("connectionId")
    # fact: coinstats-missing-field, coinstats-further-field, coinstats-connection-further-fields
    for key in EXCHANGES[exchange].fields:
        if not fields.get(key):
            raise invalid_parameter(f"connectionFields.{key}")
    return BalanceQuery(exchange, fields, name)


def invalid_parameter(name: str) -> Reject:
    """Returns the reject of an invalid parameter."""
    return Reject("bad_request", parameter=name)


def _fields(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise invalid_parameter("connectionFields")
    for key, field in value.items():
        # Only a known name is repeated: any other may be a secret.
        # fact: coinstats-invalid-member-unknown, coinstats-body-texts
        _text(field, f"connectionFields.{key}" if key in FIELDS else "connectionFields")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):  # fact: coinstats-invalid-member
        raise invalid_parameter(name)
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise invalid_parameter(name) from None
    return value


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = DECODER.decode(body.decode())
    except (ValueError, RecursionError):  # fact: coinstats-body-broken
        raise Reject("bad_request") from None
    if not isinstance(data, dict):
        raise Reject("bad_request")
    return data


def _reject_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


DECODER = json.JSONDecoder(object_pairs_hook=once_each, parse_constant=_reject_constant)
