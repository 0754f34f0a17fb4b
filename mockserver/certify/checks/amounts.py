"""Money: every digit, every row, and an account without holdings."""

from typing import Any

from mockserver.certify.checks.common import holding, issue
from mockserver.certify.judges import exact
from mockserver.certify.model import (
    CDP,
    COINAPI,
    COINSTATS,
    COINW,
    CPG,
    MUST,
    SHOULD,
    Check,
    Scene,
)

LONG = "1234567890123456789012.345678901234567891"  # 40 digits, 18 of them decimals
SMALL = "0.000000000000000001"
BEYOND_DOUBLE = "9007199254740993"
FIXED = "Keep the text (or the raw JSON number) and parse it as a decimal, never as a float."


def _one(total: str) -> Any:
    return lambda provider: [holding(provider, "BTC", total)]


def _held(provider: str) -> list[dict[str, Any]]:
    return [holding(provider, "BTC", "3.000000000000000001", held="0.5")]


def _two_venues(provider: str) -> list[dict[str, Any]]:
    return [holding(provider, "USDT", "1.5"), holding(provider, "USDT", "2.25", venue=1)]


def _fiat(provider: str) -> list[dict[str, Any]]:
    return [{"asset": "eur", "name": "Euro", "type": "fiat", "decimals": 2, "total": "90"}]


def _nothing(provider: str) -> list[dict[str, Any]]:
    return []


CHECKS = (
    Check(
        id="documented-example",
        about="The default account is shown exactly.",
        level=MUST,
        why="A client that misreads the documented example misreads every account.",
        fix="Compare your parsing with the example on the API's page, member by member.",
        source="the provider's own page",
        judges=(exact,),
    ),
    Check(
        id="forty-digits",
        about="An amount of 40 digits, 18 of them decimals, is kept.",
        level=MUST,
        why="A double holds 15 to 17 digits: the rest of the money is made up.",
        fix=FIXED,
        source=issue("ccxt/ccxt#7528"),
        scene=Scene(rows=_one(LONG)),
        judges=(exact,),
    ),
    Check(
        id="smallest-unit",
        about="An amount of 0.000000000000000001 is neither zero nor rounded.",
        level=MUST,
        why="Tokens with 18 decimals have balances of a few units.",
        fix=FIXED,
        source=issue("ccxt/ccxt#21468"),
        scene=Scene(rows=_one(SMALL)),
        judges=(exact,),
    ),
    Check(
        id="integer-beyond-double",
        about="The whole number 2^53 + 1 is kept.",
        level=MUST,
        why="JSON.parse and float() turn it into 2^53 without an error.",
        fix=FIXED,
        source="https://github.com/nautechsystems/nautilus_trader/pull/2903",
        scene=Scene(rows=_one(BEYOND_DOUBLE)),
        judges=(exact,),
    ),
    Check(
        id="held-is-part-of-total",
        about="The total includes what is on hold.",
        level=MUST,
        providers=(CDP, COINAPI, CPG),
        why="Adding the held amount to the total, or showing the available one as the total, is"
        " money that is not there, or is missing.",
        fix="Read the member that the document calls the total; do not add or subtract.",
        source="the provider's own page",
        scene=Scene(rows=_held),
        judges=(exact,),
    ),
    Check(
        id="same-asset-twice",
        about="One asset on two networks or exchanges is two rows, neither lost.",
        level=MUST,
        providers=(COINAPI, CPG),
        why="A map by asset alone keeps the last row and drops the money of the others.",
        fix="Use asset and network (or exchange) together as the key.",
        source="the provider's own page",
        scene=Scene(rows=_two_venues),
        judges=(exact,),
    ),
    Check(
        id="no-holdings",
        about="An account without holdings is an empty list, not an error.",
        level=MUST,
        why="A new account is no failure; alerts for it hide real ones.",
        fix="Treat an empty list (or object) of rows as a success without rows.",
        source="https://github.com/crypkit/blockapi/pull/144",
        scene=Scene(rows=_nothing),
        judges=(exact,),
    ),
    Check(
        id="own-symbol-only",
        about="An amount without a value in dollars is read by the asset's own symbol.",
        level=MUST,
        providers=(CDP,),
        why="Only the asset's own member is guaranteed: amount.usd is absent for many assets.",
        fix="Read amount[asset.symbol].",
        source="https://docs.cdp.coinbase.com",
        scene=Scene(rows=_fiat),
        judges=(exact,),
    ),
    Check(
        id="amounts-as-numbers",
        about="Amounts that are JSON numbers, as on older pages, are read with every digit.",
        level=MUST,
        providers=(COINW,),
        why="Both forms are published; a number parsed as a float loses digits.",
        fix="Accept texts and numbers, and have the JSON parser read numbers as decimals.",
        source="CoinW's older API document",
        scene=Scene(rows=_one("257.518301140000000001"), quirks={"coinw.amounts": "number"}),
        judges=(exact,),
    ),
    Check(
        id="amounts-with-exponent",
        about="An amount with an exponent, such as 1E-18, is read.",
        level=SHOULD,
        providers=(COINSTATS, COINW),
        why="Java's BigDecimal and JavaScript write small numbers so.",
        fix="Use a decimal parser that reads exponents.",
        source="CoinW's API document, the fee 0E-18",
        scene=Scene(
            rows=_one(SMALL),
            quirks={"coinw.amounts": "exponent", "coinstats.numbers": "exponent"},
        ),
        judges=(exact,),
    ),
    Check(
        id="no-holdings-null",
        about="No holdings as data: null is an empty account.",
        level=SHOULD,
        providers=(COINW,),
        why="CoinW's page speaks of an empty response and shows none.",
        fix="Treat null as no rows when the envelope is a success.",
        source="CoinW's API document: cancelWithdraw answers with data null",
        scene=Scene(rows=_nothing, quirks={"coinw.empty": "null"}),
        judges=(exact,),
    ),
    Check(
        id="no-holdings-no-bytes",
        about="No holdings as an empty body is an empty account.",
        level=SHOULD,
        providers=(COINW,),
        why="It is the literal reading of CoinW's page: an empty response is returned.",
        fix="Treat a successful answer without a body as no rows, for this API alone.",
        source="CoinW's API document: an empty response will be returned",
        scene=Scene(rows=_nothing, quirks={"coinw.empty": "zero-bytes"}),
        judges=(exact,),
    ),
)
