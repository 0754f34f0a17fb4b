"""The body of ``POST /v1/withdrawals``, checked field by field.

A broken field is told in the words of the gateway's validator, all fields in one
message, joined by ``"; "``.
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from mockserver.model.amounts import MAX_DIGITS, MAX_EXPONENT, Amount
from mockserver.model.http import Request
from mockserver.model.reject import Reject


class Order(Struct, frozen=True):
    """A withdrawal as asked for; ``reference`` is the client's idempotency key."""

    currency: str
    network: str
    to_address: str
    amount: Amount
    reference: str | None


def parse_order(request: Request, path: Mapping[str, str]) -> Order:
    """Reads an order; raises Reject("bad_request") with every broken field."""
    body = _object(request.body)
    broken: list[str] = []

    def field(name: str, read: Callable[[Any], Any], required: bool = True) -> Any:
        if body.get(name) is None and not required:
            return None
        if name not in body:
            broken.append(f"{name}: Field required")
            return None
        try:
            return read(body[name])
        except ValueError as error:
            broken.append(f"{name}: {error}")

    order = Order(
        field("currency", _text(1, 32)),
        field("network", _text(1, 32)),
        field("to_address", _text(10, 256)),
        field("amount", _amount),
        field("client_reference", _text(0, 128), required=False),
    )
    if broken:
        raise Reject("bad_request", message="; ".join(broken))
    return order


def _object(body: bytes) -> dict[str, Any]:
    try:
        # Numbers stay text until they are amounts: a float would lose digits.
        found = json.loads(
            body.decode(), parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal
        )
    except (ValueError, ArithmeticError, RecursionError):
        raise Reject("bad_request", message="body: JSON decode error") from None
    if not isinstance(found, dict):
        raise Reject("bad_request", message="body: Input should be a valid dictionary")
    return found


def _text(least: int, most: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or any("\ud800" <= c <= "\udfff" for c in value):
            raise ValueError("Input should be a valid string")
        if len(value) < least:
            raise ValueError(f"String should have at least {_characters(least)}")
        if len(value) > most:
            raise ValueError(f"String should have at most {_characters(most)}")
        return value

    return read


def _characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count} characters"


def _amount(value: Any) -> Amount:
    amount = _number(value) if isinstance(value, Decimal) else _quoted(value)
    if amount <= 0:
        raise ValueError("Input should be greater than 0")
    return amount


def _number(value: Decimal) -> Amount:
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("Input should be a finite number")
    if len(digits) > MAX_DIGITS or abs(exponent) > MAX_EXPONENT:
        raise ValueError(f"Decimal input should have no more than {MAX_DIGITS} digits in total")
    return Amount(value)


def _quoted(value: Any) -> Amount:
    try:
        return Amount.parse(value)
    except ValueError:
        raise ValueError("Input should be a valid decimal") from None
