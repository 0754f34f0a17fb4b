"""Ledgers: rows shown, put, moved and dropped, accounts replaced, events on the provider's side."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import fields, replace

from mockserver.edge.control.verb import Call, Refused, typed
from mockserver.engine.sandbox import Desk
from mockserver.wire.amount import Amount, minus, text
from mockserver.wire.world import ZERO, DropRow, Move, Row, SetRow, SetRows


class Rows(Struct, frozen=True, forbid_unknown_fields=True):
    """All rows of an account, as a world file writes them."""

    balances: list[dict[str, Any]]


class Movement(Struct, frozen=True, forbid_unknown_fields=True):
    """One movement of a row; amounts are text."""

    credit: Amount | None = None
    debit: Amount | None = None
    hold: Amount | None = None
    release: Amount | None = None


def show_all(call: Call) -> dict[str, Any]:
    """Tells every row of every account of every provider."""
    sandbox = call.sandbox
    with sandbox.lock:
        sandbox.settle()
        return {
            name: {id: _account(id, held) for id, held in desk.book.accounts.items()}
            for name, desk in sandbox.desks.items()
        }


def show(call: Call) -> dict[str, Any]:
    """Tells the rows of one account."""
    with call.sandbox.lock:
        desk, id = _found(call)
        return _account(id, desk.book.accounts[id])


def _account(id: str, held: Any) -> dict[str, Any]:
    rows = [shown(row) for row in held.rows.values()]
    return {"account": id, "label": held.account.label or id, "balances": rows}


def shown(row: Row) -> dict[str, Any]:
    """Returns a row with its amounts as text, and what is available."""
    told = {f.name: getattr(row, f.name) for f in fields(row)}
    told["available"] = minus(row.total, row.held)
    return {k: text(v) if isinstance(v, Amount) else v for k, v in told.items()}


def replace_rows(call: Call) -> dict[str, Any]:
    """Puts rows in the place of all that an account has."""
    with call.sandbox.lock:
        desk, id = _found(call)
        given = call.body.balances
        rows = [_typed(desk, row, f"$.balances[{n}]") for n, row in enumerate(given)]
        seen: set[tuple[str, str]] = set()
        for n, row in enumerate(rows):
            if (row.asset, row.venue) in seen:
                raise Refused(
                    400, f"{row.asset} is there twice", f"$.balances[{n}]", "give it once"
                )
            seen.add((row.asset, row.venue))
        _check(desk, id, rows)
        call.sandbox.change(desk.provider.name, SetRows(id, tuple(rows)))
        return show(call)


def put_row(call: Call) -> dict[str, Any]:
    """Puts one row; what the provider prints beside amounts stays where it is not given."""
    with call.sandbox.lock:
        desk, id = _found(call)
        asset, venue = call.path["asset"], _venue(call, desk, id)
        known = desk.book.accounts[id].rows.get((asset, venue))
        told = shown(known) if known else {}
        place = {"asset": asset, "venue": venue}
        for name, said in place.items():
            if call.body.get(name, said) != said:
                raise Refused(400, f"the path says {said!r}", f"$.{name}", "leave it out")
        given = {k: v for k, v in told.items() if k != "held"} | call.body | place
        row = _typed(desk, given, "$")
        _check(desk, id, [row])
        call.sandbox.change(desk.provider.name, SetRow(id, row))
        return _row(call, desk, id, venue)


def drop_row(call: Call) -> None:
    """Takes one row away."""
    with call.sandbox.lock:
        desk, id = _found(call)
        venue = _venue(call, desk, id)
        _change(call, desk, DropRow(id, call.path["asset"], venue))


def move(call: Call) -> dict[str, Any]:
    """Credits, debits, holds or releases an amount of one row."""
    given = {f: getattr(call.body, f) for f in ("credit", "debit", "hold", "release")}
    wanted = [(name, amount) for name, amount in given.items() if amount is not None]
    if len(wanted) != 1:
        raise Refused(400, "one movement at a time", hint="give credit, debit, hold or release")
    ((name, amount),) = wanted
    if amount <= 0:
        raise Refused(400, "an amount is above zero", f"$.{name}", "name the other movement")
    with call.sandbox.lock:
        desk, id = _found(call)
        venue = _venue(call, desk, id)
        signed = amount if name in ("credit", "hold") else minus(ZERO, amount)
        member = "total" if name in ("credit", "debit") else "held"
        _change(call, desk, Move(id, call.path["asset"], venue, **{member: signed}), f"$.{name}")
        return _row(call, desk, id, venue)


def happen(call: Call) -> dict[str, Any]:
    """Lets an event happen on the provider's side."""
    provider = _provider(call).provider
    kinds = {e.named(): e for e in provider.happenings}
    kind = kinds.get(str(call.body.get("event")))
    if kind is None:
        raise Refused(400, "no such event", "$.event", f"there are {', '.join(kinds)}")
    event = typed(call.body, kind)
    try:
        call.sandbox.happen(provider.name, event)
    except (ValueError, KeyError) as error:
        raise Refused(400, _said(error), "$", "see the ledger and the journal") from None
    return {"event": call.body["event"]}


def _provider(call: Call) -> Desk:
    name = call.path["provider"]
    desks = call.sandbox.desks
    if name not in desks:
        raise Refused(404, f"no provider {name}", hint=f"there are {', '.join(desks)}")
    desk: Desk = desks[name]
    return desk


def _found(call: Call) -> tuple[Desk, str]:
    """Returns the desk, with what is due done, and the account's id; raises Refused."""
    desk = _provider(call)
    call.sandbox.settle()
    try:
        return desk, desk.book.named(call.path["account"])
    except KeyError as error:
        raise Refused(404, _said(error), hint="an account's id or its label") from None


def _venue(call: Call, desk: Desk, account: str) -> str:
    """Returns the venue asked for; without one that of the only row the asset has."""
    if "venue" in call.query:
        return call.query["venue"]
    asset = call.path["asset"]
    venues = [venue for known, venue in desk.book.accounts[account].rows if known == asset]
    if len(venues) > 1:
        raise Refused(400, f"{asset} has rows at {', '.join(venues)}", "?venue", "say which")
    return venues[0] if venues else ""


def _typed(desk: Desk, given: Mapping[str, Any], at: str) -> Row:
    told = {name: value for name, value in given.items() if name != "available"}  # as shown
    row: Row = typed(told, desk.provider.row, at)
    return row


def _check(desk: Desk, account: str, rows: list[Any]) -> None:
    """Raises Refused when the account may not hold such rows."""
    try:
        replace(desk.book.accounts[account].account, balances=rows, generate=None)
    except ValueError as error:
        raise Refused(400, str(error), "$", "see the account in the world") from None


def _change(call: Call, desk: Desk, change: Any, at: str = "$") -> None:
    try:
        call.sandbox.change(desk.provider.name, change)
    except KeyError as error:
        raise Refused(404, _said(error), hint="see which rows there are") from None
    except ValueError as error:
        raise Refused(400, str(error), at, "see what is available") from None


def _row(call: Call, desk: Desk, account: str, venue: str) -> dict[str, Any]:
    return shown(desk.book.accounts[account].rows[call.path["asset"], venue])


def _said(error: Exception) -> str:
    return str(error.args[0]) if error.args else str(error)
