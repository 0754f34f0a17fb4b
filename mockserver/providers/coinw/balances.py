"""The two reads of ``POST /api/v1/private``: what can be spent, and what orders hold of it.

``returnBalances`` tells amounts as the ledger has them, ``returnCompleteBalances``
without the zeros at the end of a fraction.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from mockserver.model.amounts import Amount, number, stripped, text
from mockserver.model.provider import Answer
from mockserver.model.world import Quirks, View
from mockserver.providers.coinw.world import Balance

# How an amount is written. Python's Decimal and Java's BigDecimal share the rule by which
# ``str`` turns to an exponent: a negative scale, or more than six zeros behind the point.
WRITTEN: dict[str, Callable[[Amount], Any]] = {"string": text, "number": number, "exponent": str}


def return_balances(view: View, _: None) -> Answer:
    """Lists what is available of every coin that the account holds."""
    written = WRITTEN[view.quirks["amounts"]]
    return _success(
        {row.asset: written(row.available) for row in _rows(view) if row.total}, view.quirks
    )


def return_complete_balances(view: View, _: None) -> Answer:
    """Lists every coin of the account with what orders hold and what is available."""
    written = WRITTEN[view.quirks["amounts"]]
    return _success(
        {
            row.asset: {
                "onOrders": written(stripped(row.held)),
                "available": written(stripped(row.available)),
            }
            for row in _rows(view)
        },
        view.quirks,
    )


def _rows(view: View) -> Iterable[Balance]:
    return view.accounts[view.credential.account].rows.values()


def _success(data: dict[str, Any], quirks: Quirks) -> Answer:
    """Wraps data in the envelope of an answer that went well."""
    if not data and quirks["empty"] == "zero-bytes":
        return Answer(msgspec.Raw(b""))
    return Answer(
        {
            "code": 200 if quirks["success_code_type"] == "number" else "200",
            "data": None if not data and quirks["empty"] == "null" else data,
            "msg": "SUCCESS",
            "success": True,
            "failed": False,
        }
    )
