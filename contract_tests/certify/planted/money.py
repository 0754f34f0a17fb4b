"""Planted defects: digits, totals and rows."""

import json
from decimal import Decimal

from contract_tests.certify import changes
from contract_tests.certify.planting import ALL, ROWS, changed, fails, on_list, on_rows, plant
from contract_tests.certify.reference import Row


def as_float(row: Row) -> Row:
    return row | {
        name: Decimal(repr(float(row[name]))) for name in ("total", "available") if row.get(name)
    }


def rounded(row: Row) -> Row:
    return {"asset": row["asset"], "total": round(row["total"], 8)} | places(row)


def places(row: Row) -> Row:
    return {name: row[name] for name in ("network", "exchange") if name in row}


def held_added(row: Row) -> Row:
    held = row.get("held", row["total"] - row.get("available", row["total"]))
    return {"asset": row["asset"], "total": row["total"] + (held or 0)} | places(row)


def available_as_total(row: Row) -> Row:
    return {"asset": row["asset"], "total": row["available"]} | places(row)


def last_of_each_asset(rows: list[Row]) -> list[Row]:
    return list({row["asset"]: row for row in rows}.values())


def dust_hidden(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["total"] > Decimal("0.00000001")]


plant("reads amounts as floats", ALL, "forty-digits", ROWS, rows=on_rows(as_float))
plant("rounds to eight places", ALL, "smallest-unit", ROWS, rows=on_rows(rounded))
plant("hides dust", ALL, "smallest-unit", ROWS, rows=on_list(dust_hidden))
plant("adds what is held", ("cdp", "coinapi", "cpg"), "held-is-part-of-total", ROWS, rows=on_rows(held_added))  # fmt: skip
plant("shows the available amount as the total", ("cdp", "coinapi", "cpg"), "held-is-part-of-total", ROWS, rows=on_rows(available_as_total))  # fmt: skip
plant("keeps one row of each asset", ("coinapi", "cpg"), "same-asset-twice", ROWS, rows=on_list(last_of_each_asset))  # fmt: skip
plant("fails without rows", ALL, "no-holdings", "filter-with-no-match", rows=on_list(lambda rows: rows or fails(ValueError("no balances"))))  # fmt: skip
plant("reads numbers as floats", ("coinw",), "amounts-as-numbers", http_options=changed(lambda _, r: (changes.with_body(r, json.dumps(json.loads(r.content)).encode(), r.status_code) if changes.parsed(r) is not None else r)))  # fmt: skip
