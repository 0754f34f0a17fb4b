"""Ledgers: rows shown, put, moved and dropped, accounts replaced, events on the provider's side."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.control.chunks import Items, encode
from mockserver.control.ledger_pages import PAGE, page, shown, taken
from mockserver.control.routes import Call, Refused, typed, whole_number
from mockserver.engine.sandbox import Desk, Sandbox
from mockserver.model.amounts import Amount, minus
from mockserver.model.names import choices
from mockserver.model.world import ZERO, DropRow, Move, Row, SetRow


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
    """Tells rows of every account of every provider, a page of them; ``next`` leads on."""
    limit = whole_number(call.query, "limit", PAGE, PAGE)
    if not limit:
        raise Refused(400, "a page holds one row at least", "?limit", f"from 1 to {PAGE}")
    return page(call.sandbox, call.query.get("after", "0.0.0"), limit)


def lines(call: Call) -> Iterator[bytes]:
    """Returns every row of every account as a line of JSON, a few at a time."""
    sandbox = call.sandbox
    sandbox.settle()
    return _lines(sandbox)


def _lines(sandbox: Sandbox) -> Iterator[bytes]:
    for name, desk in sandbox.desks.items():
        for id in desk.book.accounts:
            account, rows = taken(sandbox, desk, id)
            place = {"provider": name, "account": id, "label": account.label or id}
            items = Items(rows, lambda row, place=place: place | {"balance": shown(row)})  # type: ignore[misc]
            for batch in items.batches():
                yield b"".join([encode(line) + b"\n" for line in batch])


def show(call: Call) -> dict[str, Any]:
    """Tells the rows of one account."""
    desk, id = _found(call)
    account, rows = taken(call.sandbox, desk, id)
    return {"account": id, "label": account.label or id, "balances": Items(rows, shown)}


def replace_rows(call: Call) -> dict[str, Any]:
    """Puts rows in the place of all that an account has; they are made before the lock is taken."""
    desk, id = _found(call)
    rows: dict[tuple[str, str], Row] = {}
    for n, said in enumerate(call.body.balances):
        row = _typed(desk, said, f"$.balances[{n}]")
        if (row.asset, row.venue) in rows:
            raise Refused(400, f"{row.asset} is there twice", f"$.balances[{n}]", "give it once")
        rows[row.asset, row.venue] = row.touched("control")
    _check(desk, id, list(rows.values()))
    held = desk.book.accounts[id].with_rows(rows)
    sandbox = call.sandbox
    with sandbox.lock:
        sandbox.desks[desk.provider.name].book.put(id, held)
    return {
        "account": id,
        "label": held.account.label or id,
        "balances": Items([*rows.values()], shown),
    }


def put_row(call: Call) -> dict[str, Any]:
    """Puts one row; what the provider prints beside amounts stays where it is not given."""
    _, _, venue = _placed(call)
    with call.sandbox.lock:
        desk, id = _found(call)
        asset = call.path["asset"]
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
    desk, id, venue = _placed(call)
    with call.sandbox.lock:
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
    _, _, venue = _placed(call)
    with call.sandbox.lock:
        desk, id = _found(call)
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
        told = str(call.body.get("event"))
        raise Refused(400, "no such event", "$.event", choices(told, kinds))
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
        raise Refused(404, f"no provider {name}", hint=choices(name, desks))
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


def _placed(call: Call) -> tuple[Desk, str, str]:
    """Returns desk, account and the venue asked for; without one that of the asset's only row."""
    desk, id = _found(call)
    if "venue" in call.query:
        return desk, id, call.query["venue"]
    asset = call.path["asset"]
    _, rows = taken(call.sandbox, desk, id)
    venues = [row.venue for row in rows if row.asset == asset]
    if len(venues) > 1:
        raise Refused(400, f"{asset} has rows at {', '.join(venues)}", "?venue", "say which")
    return desk, id, venues[0] if venues else ""


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
