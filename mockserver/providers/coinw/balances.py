"""The two reads of ``POST /api/v1/private``: available amounts, and amounts on order.

``returnBalances`` keeps the scale of the ledger's amounts; ``returnCompleteBalances``
strips the trailing zeros of a fraction.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from mockserver.model.amounts import Amount, number, stripped, text
from mockserver.model.provider import Answer
from mockserver.model.world import Quirks, View
from mockserver.providers.coinw.world import Balance

# By the quirk ``amounts``. Python's Decimal and Java's BigDecimal share the rule by which ``str``
# writes an exponent: a negative scale, or more than six zeros after the decimal point.
AMOUNT_WRITERS: dict[str, Callable[[Amount], Any]] = {
    "string": text,  # fact: coinw-amounts-strings
    "number": number,  # fact: coinw-amounts-number
    "exponent": str,  # fact: coinw-amounts-exponent, coinw-amounts-exponent-rule
}


def return_balances(view: View, _: None) -> Answer:
    """Lists the available amount of every coin that the account holds."""
    write = AMOUNT_WRITERS[view.quirks["amounts"]]
    # fact: coinw-available, coinw-amounts-scale, coinw-available-of-held
    # fact: coinw-all-holdings, coinw-held-coins-only
    return _success(
        {row.asset: write(row.available) for row in _rows(view) if row.total}, view.quirks
    )


def return_complete_balances(view: View, _: None) -> Answer:
    """Lists every coin of the account with its amounts on order and available."""
    write = AMOUNT_WRITERS[view.quirks["amounts"]]  # fact: coinw-complete-amounts
    # fact: coinw-complete, coinw-complete-stripped, coinw-complete-zero
    return _success(
        {
            row.asset: {
                "onOrders": write(stripped(row.held)),
                "available": write(stripped(row.available)),
            }
            for row in _rows(view)
        },
        view.quirks,
    )


def _rows(view: View) -> Iterable[Balance]:
    return view.accounts[view.credential.account].rows.values()


def _success(data: dict[str, Any], quirks: Quirks) -> Answer:
    """Returns data in the envelope of a success."""
    # fact: coinw-no-holdings-bytes, coinw-complete-empty
    if not data and quirks["empty"] == "zero-bytes":
        return Answer(msgspec.Raw(b""))
    # fact: coinw-success-envelope, coinw-success-values, coinw-wire-is-json
    return Answer(
        {
            # fact: coinw-success-code, coinw-success-code-number
            "code": 200 if quirks["success_code_type"] == "number" else "200",
            # fact: coinw-no-holdings, coinw-no-holdings-null
            "data": None if not data and quirks["empty"] == "null" else data,
            "msg": "SUCCESS",
            "success": True,
            "failed": False,
        }
    )
