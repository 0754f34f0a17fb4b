"""Shows and changes ledgers, row by row or by account; applies events on the provider's side."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.control.chunks import Items, encode
from mockserver.control.ledger_pages import PAGE_MAX, page, row_document, rows_snapshot
from mockserver.control.routes import ControlCall, convert, whole_number
from mockserver.engine.provider_state import ProviderState
from mockserver.engine.sandbox import Sandbox
from mockserver.errors import ControlError, InvalidCall, SettingError
from mockserver.model.amounts import Amount, minus
from mockserver.model.suggestions import choices
from mockserver.model.world import ZERO, DropRow, Move, Row, SetRow


class Rows(Struct, frozen=True, forbid_unknown_fields=True):
    """All rows of an account, as in a world file."""

    balances: list[dict[str, Any]]


class Movement(Struct, frozen=True, forbid_unknown_fields=True):
    """One movement of an amount in a row."""

    credit: Amount | None = None
    debit: Amount | None = None
    hold: Amount | None = None
    release: Amount | None = None


def show_all(call: ControlCall) -> dict[str, Any]:
    """Returns a page of the rows of every account of every provider."""
    limit = whole_number(call.query, "limit", PAGE_MAX, PAGE_MAX)
    if not limit:
        raise InvalidCall("a page holds at least one row", "?limit", f"from 1 to {PAGE_MAX}")
    return page(call.sandbox, call.query.get("after", "0.0.0"), limit)


def stream_lines(call: ControlCall) -> Iterator[bytes]:
    """Returns every row of every account as a line of JSON, a few lines at a time."""
    call.sandbox.run_due_events()
    return _lines(call.sandbox)


def _lines(sandbox: Sandbox) -> Iterator[bytes]:
    for name, state in sandbox.states.items():
        for id in state.ledger.accounts:
            account, rows = rows_snapshot(sandbox, state, id)
            place = {"provider": name, "account": id, "label": account.label or id}
            for batch in Items(rows, row_document).batches():
                yield b"".join([encode(place | {"balance": row}) + b"\n" for row in batch])


def show(call: ControlCall) -> dict[str, Any]:
    """Returns the rows of one account."""
    state, id = _state_and_account(call)
    account, rows = rows_snapshot(call.sandbox, state, id)
    return _account_document(id, account, rows)


def _account_document(id: str, account: Any, rows: list[Row]) -> dict[str, Any]:
    return {"account": id, "label": account.label or id, "balances": Items(rows, row_document)}


def replace_rows(call: ControlCall) -> dict[str, Any]:
    """Replaces all rows of an account; they are built before the lock is taken."""
    state, id = _state_and_account(call)
    rows: dict[tuple[str, str], Row] = {}
    for n, members in enumerate(call.body.balances):
        row = _convert_row(state, members, "balances", n)
        if (row.asset, row.venue) in rows:
            raise InvalidCall(f"{row.asset} is there twice", f"$.balances[{n}]", "give it once")
        rows[row.asset, row.venue] = row.touched("control")
    _check_account(state, id, list(rows.values()))
    account_rows = state.ledger.accounts[id].with_rows(rows)
    call.sandbox.put_account(state.provider.name, id, account_rows)
    return _account_document(id, account_rows.account, [*rows.values()])


def put_row(call: ControlCall) -> dict[str, Any]:
    """Sets one row; members other than amounts stay where they are not given."""
    _, _, venue = _row_place(call)
    with call.sandbox.lock:
        state, id = _state_and_account(call)
        asset = call.path["asset"]
        place = {"asset": asset, "venue": venue}
        for name, value in place.items():
            if call.body.get(name, value) != value:
                raise InvalidCall(f"the path says {value!r}", f"$.{name}", "leave it out")
        existing = state.ledger.accounts[id].rows.get((asset, venue))
        members = row_document(existing) if existing else {}
        members.pop("held", None)
        row = _convert_row(state, members | call.body | place)
        _check_account(state, id, [row])
        call.sandbox.change(state.provider.name, SetRow(id, row))
        return _row(call, state, id, venue)


def delete_row(call: ControlCall) -> None:
    """Deletes one row."""
    state, id, venue = _row_place(call)
    with call.sandbox.lock:
        _change(call, state, DropRow(id, call.path["asset"], venue))


def move(call: ControlCall) -> dict[str, Any]:
    """Credits, debits, holds or releases an amount of one row."""
    name, amount = _movement(call.body)
    _, _, venue = _row_place(call)
    with call.sandbox.lock:
        state, id = _state_and_account(call)
        signed = amount if name in ("credit", "hold") else minus(ZERO, amount)
        member = "total" if name in ("credit", "debit") else "held"
        _change(call, state, Move(id, call.path["asset"], venue, **{member: signed}), f"$.{name}")
        return _row(call, state, id, venue)


def _movement(body: Movement) -> tuple[str, Amount]:
    """Returns the name and the amount of the one movement; raises InvalidCall."""
    amounts = {name: getattr(body, name) for name in Movement.__struct_fields__}
    movements = [(name, amount) for name, amount in amounts.items() if amount is not None]
    if len(movements) != 1:
        raise InvalidCall("one movement at a time", hint="give credit, debit, hold or release")
    ((name, amount),) = movements
    if amount <= 0:
        raise InvalidCall("the amount must be above zero", f"$.{name}", "use the other movement")
    return name, amount


def apply_event(call: ControlCall) -> dict[str, Any]:
    """Applies an event on the provider's side, such as a confirmed withdrawal."""
    provider = _provider_state(call).provider
    kinds = {kind.named(): kind for kind in provider.all_events}
    name = str(call.body.get("event"))
    if name not in kinds:
        raise InvalidCall("no such event", "$.event", choices(name, kinds))
    event = convert(call.body, kinds[name])
    try:
        call.sandbox.apply_event(provider.name, event)
    except (ValueError, KeyError) as error:
        raise InvalidCall(_message(error), "$", "see the ledger and the journal") from None
    return {"event": call.body["event"]}


def _provider_state(call: ControlCall) -> ProviderState:
    name = call.path["provider"]
    states = call.sandbox.states
    if name not in states:
        raise ControlError(404, f"no provider {name}", hint=choices(name, states))
    state: ProviderState = states[name]
    return state


def _state_and_account(call: ControlCall) -> tuple[ProviderState, str]:
    """Returns the provider's state and the account's id; events that are due have run.

    Raises ControlError.
    """
    state = _provider_state(call)
    call.sandbox.run_due_events()
    try:
        return state, state.ledger.account_id(call.path["account"])
    except KeyError as error:
        raise ControlError(404, _message(error), hint="an account's id or its label") from None


def _row_place(call: ControlCall) -> tuple[ProviderState, str, str]:
    """Returns the provider's state, the account's id and the venue of the row.

    Without a venue in the query it is that of the asset's only row. Raises ControlError.
    """
    state, id = _state_and_account(call)
    if "venue" in call.query:
        return state, id, call.query["venue"]
    asset = call.path["asset"]
    _, rows = rows_snapshot(call.sandbox, state, id)
    venues = [row.venue for row in rows if row.asset == asset]
    if len(venues) > 1:
        raise InvalidCall(f"{asset} has rows at {', '.join(venues)}", "?venue", "say which")
    return state, id, venues[0] if venues else ""


def _convert_row(state: ProviderState, members: Mapping[str, Any], *prefix: str | int) -> Row:
    # Clients may send a row as it was shown to them.
    writable = {name: value for name, value in members.items() if name != "available"}
    row: Row = convert(writable, state.provider.row, *prefix)
    return row


def _check_account(state: ProviderState, account: str, rows: list[Any]) -> None:
    """Raises InvalidCall when the account may not hold such rows."""
    try:
        replace(state.ledger.accounts[account].account, balances=rows, generate=None)
    except ValueError as error:
        raise InvalidCall(_message(error), "$", "see the account in the world") from None


def _change(call: ControlCall, state: ProviderState, change: Any, at: str = "$") -> None:
    try:
        call.sandbox.change(state.provider.name, change)
    except KeyError as error:
        raise ControlError(404, _message(error), hint="see which rows there are") from None
    except ValueError as error:
        raise InvalidCall(_message(error), at, "see what is available") from None


def _row(call: ControlCall, state: ProviderState, account: str, venue: str) -> dict[str, Any]:
    return row_document(state.ledger.accounts[account].rows[call.path["asset"], venue])


def _message(error: Exception) -> str:
    """Returns an error's message; ``str()`` would quote a KeyError's."""
    if isinstance(error, SettingError):
        return error.message
    return str(error.args[0]) if error.args else str(error)
