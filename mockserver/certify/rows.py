"""The balances of a client: parsed from its output, and compared with the ledger."""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from mockserver.certify.model import COINAPI, COINSTATS, COINW, CPG, Row
from mockserver.model.amounts import EXACT

AMOUNT = re.compile(r"[+-]?([0-9]{1,100}(\.[0-9]{0,100})?|\.[0-9]{1,100})([eE][+-]?[0-9]{1,3})?")
AMOUNTS = ("total", "available", "held")
PLACES = ("network", "exchange")
EXPECTED_FORM = 'expected a JSON array of {"asset": "btc", "total": "3.0"}, amounts as text'
UNKNOWN = (
    'expected an amount as text, such as "3.0", got nothing: leave out a row of unknown amount,'
    " or end with an error"
)
NEEDED = {CPG: "network", COINAPI: "exchange"}
ONE_FIGURE = (COINSTATS, COINW)  # whose rows have a total alone
ROWS_MAX = 10_000
SHOWN_MAX = 3


def parse_text(text: str, provider: str) -> list[Row]:
    """Parses what a client wrote to stdout; raises ValueError with one line."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        start = text.strip()[:60]
        raise ValueError(f"{EXPECTED_FORM}; got {start!r}, which is not JSON") from None
    return parse(data, provider)


def parse(data: Any, provider: str) -> list[Row]:
    """Parses a client's rows; raises ValueError with one line."""
    if not isinstance(data, list):
        raise ValueError(f"{EXPECTED_FORM}; got {_kind(data)}")
    if len(data) > ROWS_MAX:
        raise ValueError(f"expected at most {ROWS_MAX} rows, got {len(data)}")
    return [_row(item, f"$[{n}]", provider) for n, item in enumerate(data)]


def _row(item: Any, at: str, provider: str) -> Row:
    if not isinstance(item, Mapping):
        raise ValueError(f"{at}: {EXPECTED_FORM}; got {_kind(item)}")
    asset = item.get("asset")
    if not isinstance(asset, str) or not asset:
        raise ValueError(f'{at}.asset: expected a text such as "btc", got {_kind(asset)}')
    needed = NEEDED.get(provider)
    if needed and not item.get(needed):
        raise ValueError(f'{at}.{needed}: expected the {needed}, as in {{"{needed}": "ETH"}}')
    total, available, held = (_amount(item.get(name), f"{at}.{name}") for name in AMOUNTS)
    if total is None:
        raise ValueError(f"{at}.total: {UNKNOWN}")
    network, exchange = (_place(item.get(name), f"{at}.{name}") for name in PLACES)
    return Row(frozenset({asset.casefold()}), total, available, held, network, exchange)


def _amount(value: Any, at: str) -> Decimal | None:
    if value is None or (isinstance(value, Decimal) and value.is_finite()):
        return value
    if not isinstance(value, str):
        raise ValueError(f'{at}: expected an amount as text, such as "3.0", got {_kind(value)}')
    if not AMOUNT.fullmatch(value):
        raise ValueError(f'{at}: expected an amount such as "3.0", got {value[:60]!r}')
    return Decimal(value)


def _place(value: Any, at: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{at}: expected a text, got {_kind(value)}")
    return value or None


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "an array", str: "a text", type(None): "nothing"}
    if isinstance(value, bool | int | float):
        return f"the number {value!r}"[:60]
    return kinds.get(type(value), type(value).__name__)


def from_ledger(rows: Iterable[Any], provider: str) -> list[Row]:
    """Returns the rows that a client should show for an account's rows in the ledger."""
    return [
        Row(
            frozenset(
                name.casefold() for name in (row.asset, getattr(row, "coinapi", None)) if name
            ),
            row.total,
            EXACT.subtract(row.total, row.held),
            row.held,
            row.venue if NEEDED.get(provider) == "network" else None,
            row.venue if NEEDED.get(provider) == "exchange" else None,
        )
        for row in rows
    ]


def difference(rows: list[Row], expected: list[Row], provider: str) -> str:
    """Returns how a client's rows differ from those expected, empty if they do not."""
    left = list(rows)
    missing: list[Row] = []
    for row in expected:
        match = next((r for r in left if _equal(r, row, provider)), None)
        if match is None:
            missing.append(row)
        else:
            left.remove(match)
    if not missing and not left:
        return ""
    return "; ".join(filter(None, (_missing(missing, left), _surplus(left, rows))))


def _equal(row: Row, expected: Row, provider: str) -> bool:
    """Returns whether a row shows what is expected; CoinStats and CoinW have one figure a row."""
    same = row.names <= expected.names and row.total == expected.total
    if provider in NEEDED:
        same = same and (row.network, row.exchange) == (expected.network, expected.exchange)
    if provider in ONE_FIGURE:
        return same
    return same and all(
        shown is None or shown == true
        for shown, true in ((row.available, expected.available), (row.held, expected.held))
    )


def _missing(missing: list[Row], left: list[Row]) -> str:
    """Says which rows lack, and what stands in their place."""
    parts = []
    for row in missing[:SHOWN_MAX]:
        instead = next((r for r in left if r.names <= row.names), None)
        parts.append(
            f"{row.name} is {_amounts(row)}, the client shows "
            + (_amounts(instead) if instead else "no such row")
        )
    more = len(missing) - SHOWN_MAX
    return "; ".join(parts) + (f"; and {more} more rows are missing" if more > 0 else "")


def _surplus(left: list[Row], rows: list[Row]) -> str:
    return f"{len(left)} of {len(rows)} rows are not in the account" if left else ""


def _amounts(row: Row) -> str:
    parts = [str(row.total)[:80]]
    parts += [f"available {row.available}"[:80]] if row.available is not None else []
    return ", ".join(parts)
