"""The body of ``POST /v1/withdrawals``, checked field by field.

Errors have the words of the gateway's validator: one message for all invalid fields,
joined by ``"; "``.
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
    """A withdrawal as requested; ``reference`` is the client's idempotency key."""

    currency: str
    network: str
    to_address: str
    amount: Amount
    reference: str | None


def parse_order(request: Request, path: Mapping[str, str]) -> Order:
    """Reads an order; raises Reject("bad_request") that names every invalid field."""
    body = _object(request.body)
    errors: list[str] = []

    def field(name: str, parse: Callable[[Any], Any], required: bool = True) -> Any:
        if body.get(name) is None and not required:
            return None
        if name not in body:
            errors.append(f"{name}: Field required")
            return None
        try:
            return parse(body[name])
        except ValueError as error:
            errors.append(f"{name}: {error}")

    order = Order(
        # fact: cpg-withdrawal-body
        field("currency", _text(1, 32)),
        field("network", _text(1, 32)),
        field("to_address", _text(10, 256)),
        field("amount", _amount),
        # fact: cpg-withdrawal-null-reference
        field("client_reference", _text(0, 128), required=False),
    )
    if errors:
        raise Reject("bad_request", message="; ".join(errors))  # fact: cpg-validation-text
    return order


def _object(body: bytes) -> dict[str, Any]:
    try:
        # Numbers stay text until they are amounts: a float would lose digits.
        data = json.loads(
            body.decode(), parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal
        )
    except (ValueError, ArithmeticError, RecursionError):
        # fact: cpg-body-no-json
        raise Reject("bad_request", message="body: JSON decode error") from None
    if not isinstance(data, dict):
        # fact: cpg-body-no-object
        raise Reject("bad_request", message="body: Input should be a valid dictionary")
    return data


def _text(min_length: int, max_length: int) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or any("\ud800" <= c <= "\udfff" for c in value):
            raise ValueError("Input should be a valid string")
        if len(value) < min_length:
            raise ValueError(f"String should have at least {_characters(min_length)}")
        if len(value) > max_length:
            raise ValueError(f"String should have at most {_characters(max_length)}")
        return value

    return parse


def _characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count} characters"


def _amount(value: Any) -> Amount:
    amount = _from_number(value) if isinstance(value, Decimal) else _from_text(value)
    if amount <= 0:  # fact: cpg-withdrawal-amount
        raise ValueError("Input should be greater than 0")
    return amount


def _from_number(value: Decimal) -> Amount:
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("Input should be a finite number")
    if len(digits) > MAX_DIGITS or abs(exponent) > MAX_EXPONENT:
        raise ValueError(f"Decimal input should have no more than {MAX_DIGITS} digits in total")
    return Amount(value)


def _from_text(value: Any) -> Amount:
    try:
        return Amount.parse(value)
    except ValueError:
        raise ValueError("Input should be a valid decimal") from None
