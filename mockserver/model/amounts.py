"""Exact decimals: an amount is never a float, from the world file to the wire.

Sums run in a context of 200 digits in which rounding is an error. An amount has
at most 80 digits and an exponent within 40, so no sum of amounts can need more.
"""

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Any, Self

import msgspec

MAX_DIGITS = 80
MAX_EXPONENT = 40

EXACT = Context(prec=200, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation, Overflow])

ONE = Decimal(1)

# One unit of the n-th place behind the point.
_PLACES = [Decimal(1).scaleb(-n) for n in range(MAX_EXPONENT + 1)]

_PLAIN = re.compile(r"-?[0-9]{1,120}(\.[0-9]{1,120})?")


class _PlainDecimals(type):
    """The class of Amount: its instances are plain decimals.

    Those of a subclass would be searched by garbage collection: 300,000 of them in 100,000 rows.
    """

    def __call__(cls, value: Any) -> Any:
        return Decimal(value)

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Decimal)


class Amount(Decimal, metaclass=_PlainDecimals):
    """An exact amount with its scale kept: ``"400.000"`` stays ``400.000``."""

    @classmethod
    def parse(cls, text: object) -> Self:
        """Reads an amount from its quoted text.

        Raises ValueError for anything but plain ASCII digits with an optional
        sign and fraction, or for more than MAX_DIGITS or MAX_EXPONENT.
        """
        if not isinstance(text, str):
            raise ValueError(f'an amount is a quoted string: write "{text}"')
        if not _PLAIN.fullmatch(text):
            raise ValueError(f'{text[:40]!r} is no amount: digits, one point, as in "0.5"')
        amount = cls(text)
        if amount.is_zero() and amount.is_signed():
            raise ValueError(f"{text!r} is nothing with a sign: write 0")
        check_size(amount)
        return amount


def check_size(amount: Decimal) -> None:
    """Raises ValueError for more than MAX_DIGITS, or MAX_EXPONENT behind the point."""
    plain = str(amount)
    if len(plain) <= MAX_EXPONENT and "E" not in plain:
        return  # nearly every amount: counting its digits takes six times as long
    _, digits, exponent = amount.as_tuple()
    if len(digits) > MAX_DIGITS or abs(int(exponent)) > MAX_EXPONENT:
        raise ValueError(
            f"an amount has at most {MAX_DIGITS} digits, {MAX_EXPONENT} after the point"
        )


def places(amount: Decimal) -> int:
    """Returns the number of digits behind the point, zeros at the end included."""
    plain = str(amount)
    if "E" in plain:
        return -int(amount.as_tuple().exponent)
    return len(plain.partition(".")[2])


def check_decimals(amount: Decimal, decimals: int) -> None:
    """Raises ValueError for an amount with more digits behind the point than its asset has."""
    used = places(amount)
    if used > decimals:
        too_fine = f"{amount:f} needs more than {decimals} decimals"
        raise ValueError(f"{too_fine}: set decimals={used}, too")


def plus(a: Decimal, b: Decimal) -> Amount:
    """Returns the exact sum."""
    return Amount(EXACT.add(a, b))


def minus(a: Decimal, b: Decimal) -> Amount:
    """Returns the exact difference."""
    return Amount(EXACT.subtract(a, b))


def times(a: Decimal, b: Decimal) -> Amount:
    """Returns the exact product."""
    return Amount(EXACT.multiply(a, b))


def stripped(amount: Decimal) -> Amount:
    """Returns the amount without zeros at the end of its fraction: ``400.000`` is ``400``."""
    plain = EXACT.normalize(amount)
    return Amount(plain if int(plain.as_tuple().exponent) <= 0 else EXACT.quantize(plain, ONE))


def text(amount: Decimal, decimals: int | None = None) -> str:
    """Renders plain digits without an exponent; ``decimals`` (at most 40) pads the fraction."""
    if decimals is not None:
        amount = EXACT.quantize(amount, _PLACES[decimals])
    return format(amount, "f")


def number(amount: Decimal) -> msgspec.Raw:
    """Renders a JSON number with every digit kept (msgspec alone would write ``2.3E-7``)."""
    return msgspec.Raw(format(amount, "f").encode())


def decode_hook(kind: type, value: object) -> object:
    """Decodes amounts for msgspec."""
    if kind is Amount:
        return Amount.parse(value)
    raise NotImplementedError(kind)
