"""Ledgers: rows shown, put, moved and dropped, accounts replaced, events on the provider's side."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.control.chunks import Items, encode
from mockserver.control.ledger_pages import PAGE, page, shown, taken
from mockserver.control.routes import ControlCall, ControlError, typed, whole_number
from mockserver.engine.provider_state import ProviderState
from mockserver.engine.sandbox import Sandbox
from mockserver.model.amounts import Amount, minus
from mockserver.model.suggestions import choices
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


def show_all(call: ControlCall) -> dict[str, Any]:
    """Tells rows of every account of every provider, a page of them; ``next`` leads on."""
    limit = whole_number(call.query, "limit", PAGE, PAGE)
    if not limit:
        raise ControlError(400, "a page holds one row at least", "?limit", f"from 1 to {PAGE}")
    return page(call.sandbox, call.query.get("after", "0.0.0"), limit)


def lines(call: ControlCall) -> Iterator[bytes]:
    """Returns every row of every account as a line of JSON, a few at a time."""
    sandbox = call.sandbox
    sandbox.run_due_events()
    return _lines(sandbox)


def _lines(sandbox: Sandbox) -> Iterator[bytes]:
    for name, state in sandbox.states.items():
        for id in state.ledger.accounts:
            account, rows = taken(sandbox, state, id)
            place = {"provider": name, "account": id, "label": account.label or id}
            items = Items(rows, lambda row, place=place: place | {"balance": shown(row)})  # type: ignore[misc]
            for batch in items.batches():
                yield b"".join([encode(line) + b"\n" for line in batch])


def show(call: ControlCall) -> dict[str, Any]:
    """Tells the rows of one account."""
    state, id = _found(call)
    account, rows = taken(call.sandbox, state, id)
    return {"account": id, "label": account.label or id, "balances": Items(rows, shown)}


def replace_rows(call: ControlCall) -> dict[str, Any]:
    """Puts rows in the place of all that an account has; they are made before the lock is taken."""
    state, id = _found(call)
    rows: dict[tuple[str, str], Row] = {}
    for n, said in enumerate(call.body.balances):
        row = _typed(state, said, f"$.balances[{n}]")
        if (row.asset, row.venue) in rows:
            raise ControlError(
                400, f"{row.asset} is there twice", f"$.balances[{n}]", "give it once"
            )
        rows[row.asset, row.venue] = row.touched("control")
    _check(state, id, list(rows.values()))
    held = state.ledger.accounts[id].with_rows(rows)
    sandbox = call.sandbox
    with sandbox.lock:
        sandbox.states[state.provider.name].ledger.put(id, held)
    return {
        "account": id,
        "label": held.account.label or id,
        "balances": Items([*rows.values()], shown),
    }


def put_row(call: ControlCall) -> dict[str, Any]:
    """Puts one row; what the provider prints beside amounts stays where it is not given."""
    _, _, venue = _placed(call)
    with call.sandbox.lock:
        state, id = _found(call)
        asset = call.path["asset"]
        known = state.ledger.accounts[id].rows.get((asset, venue))
        told = shown(known) if known else {}
        place = {"asset": asset, "venue": venue}
        for name, said in place.items():
            if call.body.get(name, said) != said:
                raise ControlError(400, f"the path says {said!r}", f"$.{name}", "leave it out")
        given = {k: v for k, v in told.items() if k != "held"} | call.body | place
        row = _typed(state, given, "$")
        _check(state, id, [row])
        call.sandbox.change(state.provider.name, SetRow(id, row))
        return _row(call, state, id, venue)


def drop_row(call: ControlCall) -> None:
    """Takes one row away."""
    state, id, venue = _placed(call)
    with call.sandbox.lock:
        _change(call, state, DropRow(id, call.path["asset"], venue))


def move(call: ControlCall) -> dict[str, Any]:
    """Credits, debits, holds or releases an amount of one row."""
    given = {f: getattr(call.body, f) for f in ("credit", "debit", "hold", "release")}
    wanted = [(name, amount) for name, amount in given.items() if amount is not None]
    if len(wanted) != 1:
        raise ControlError(
            400, "one movement at a time", hint="give credit, debit, hold or release"
        )
    ((name, amount),) = wanted
    if amount <= 0:
        raise ControlError(400, "an amount is above zero", f"$.{name}", "name the other movement")
    _, _, venue = _placed(call)
    with call.sandbox.lock:
        state, id = _found(call)
        signed = amount if name in ("credit", "hold") else minus(ZERO, amount)
        member = "total" if name in ("credit", "debit") else "held"
        _change(call, state, Move(id, call.path["asset"], venue, **{member: signed}), f"$.{name}")
        return _row(call, state, id, venue)


def happen(call: ControlCall) -> dict[str, Any]:
    """Lets an event happen on the provider's side."""
    provider = _provider(call).provider
    kinds = {e.named(): e for e in provider.all_events}
    kind = kinds.get(str(call.body.get("event")))
    if kind is None:
        told = str(call.body.get("event"))
        raise ControlError(400, "no such event", "$.event", choices(told, kinds))
    event = typed(call.body, kind)
    try:
        call.sandbox.apply_event(provider.name, event)
    except (ValueError, KeyError) as error:
        raise ControlError(400, _said(error), "$", "see the ledger and the journal") from None
    return {"event": call.body["event"]}


def _provider(call: ControlCall) -> ProviderState:
    name = call.path["provider"]
    states = call.sandbox.states
    if name not in states:
        raise ControlError(404, f"no provider {name}", hint=choices(name, states))
    state: ProviderState = states[name]
    return state


def _found(call: ControlCall) -> tuple[ProviderState, str]:
    """Returns the desk, with what is due done, and the account's id; raises Refused."""
    state = _provider(call)
    call.sandbox.run_due_events()
    try:
        return state, state.ledger.account_id(call.path["account"])
    except KeyError as error:
        raise ControlError(404, _said(error), hint="an account's id or its label") from None


def _placed(call: ControlCall) -> tuple[ProviderState, str, str]:
    """Returns desk, account and the venue asked for; without one that of the asset's only row."""
    state, id = _found(call)
    if "venue" in call.query:
        return state, id, call.query["venue"]
    asset = call.path["asset"]
    _, rows = taken(call.sandbox, state, id)
    venues = [row.venue for row in rows if row.asset == asset]
    if len(venues) > 1:
        raise ControlError(400, f"{asset} has rows at {', '.join(venues)}", "?venue", "say which")
    return state, id, venues[0] if venues else ""


def _typed(state: ProviderState, given: Mapping[str, Any], at: str) -> Row:
    told = {name: value for name, value in given.items() if name != "available"}  # as shown
    row: Row = typed(told, state.provider.row, at)
    return row


def _check(state: ProviderState, account: str, rows: list[Any]) -> None:
    """Raises Refused when the account may not hold such rows."""
    try:
        replace(state.ledger.accounts[account].account, balances=rows, generate=None)
    except ValueError as error:
        raise ControlError(400, str(error), "$", "see the account in the world") from None


def _change(call: ControlCall, state: ProviderState, change: Any, at: str = "$") -> None:
    try:
        call.sandbox.change(state.provider.name, change)
    except KeyError as error:
        raise ControlError(404, _said(error), hint="see which rows there are") from None
    except ValueError as error:
        raise ControlError(400, str(error), at, "see what is available") from None


def _row(call: ControlCall, state: ProviderState, account: str, venue: str) -> dict[str, Any]:
    return shown(state.ledger.accounts[account].rows[call.path["asset"], venue])


def _said(error: Exception) -> str:
    return str(error.args[0]) if error.args else str(error)
