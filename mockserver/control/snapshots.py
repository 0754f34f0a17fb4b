"""Takes, lists, shows and restores snapshots; forks and rewinds sandboxes; exports worlds."""

import secrets
from typing import Any

from msgspec import Struct

from mockserver.control.chunks import ITEMS_MAX, Items
from mockserver.control.routes import ControlCall
from mockserver.control.sandboxes import (
    ID,
    TTL,
    check_id,
    make_sandbox,
    parse_ttl,
    read_snapshot,
    sandbox_document,
)
from mockserver.engine.rewind import rewind as rewind_sandbox
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.snapshot_shelf import NamedSnapshot
from mockserver.errors import ControlError, InvalidCall, SettingError
from mockserver.files import snapshots, world_export
from mockserver.model import times
from mockserver.model.suggestions import choices


class SnapshotSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A snapshot to take; ``journal`` adds the journal to it."""

    name: str | None = None
    journal: bool = False


class Restore(Struct, frozen=True, forbid_unknown_fields=True):
    """The snapshot to return to: the name of one of the sandbox, or a document."""

    snapshot: str | dict[str, Any]


class Fork(Struct, frozen=True, forbid_unknown_fields=True):
    """The sandbox to make of this one, as it is now or was at a ``snapshot``."""

    id: str | None = None
    ttl: str | int | float = TTL
    snapshot: str | None = None


class Rewind(Struct, frozen=True, forbid_unknown_fields=True):
    """The number of the request right before which the sandbox was in the state to return to."""

    to: int


def index(call: ControlCall) -> dict[str, Any]:
    """Lists the snapshots of a sandbox."""
    with call.sandbox.lock:
        return {"snapshots": [_row(snapshot) for snapshot in call.sandbox.snapshots.values()]}


def _row(snapshot: NamedSnapshot) -> dict[str, Any]:
    return {
        "name": snapshot.name,
        "time": times.instant_text(snapshot.time),
        "requests": snapshot.requests,
        "journal": snapshot.state.journal is not None,
    }


def take(call: ControlCall) -> dict[str, Any]:
    """Takes a snapshot; replaces the one with its name."""
    spec: SnapshotSpec = call.body
    if spec.name is not None and not ID.fullmatch(spec.name):
        hint = "letters, digits, . _ -, at most 64"
        raise InvalidCall(f"{spec.name!r} is not a name", "$.name", hint)
    try:
        return _row(call.sandbox.snapshot(spec.name or "", journal=spec.journal))
    except SettingError as error:
        raise ControlError(409, error.message, hint="DELETE .../snapshots/{name}") from None


def show(call: ControlCall) -> dict[str, Any]:
    """Returns a snapshot as a document."""
    snapshot = _named(call.sandbox, call.path["name"], "name")
    document: dict[str, Any] = _in_items(snapshots.document(snapshot.state, snapshot.name))
    return document


def delete(call: ControlCall) -> None:
    """Deletes a snapshot."""
    sandbox, name = call.sandbox, call.path["name"]
    with sandbox.lock:
        _named(sandbox, name, "name")
        sandbox.snapshots.drop(name)


def restore(call: ControlCall) -> dict[str, Any]:
    """Returns a sandbox to one of its snapshots, or to the state in a document."""
    source, sandbox = call.body.snapshot, call.sandbox
    if isinstance(source, str):
        state = _named(sandbox, source, "$.snapshot").state
    else:
        state = read_snapshot(call.app, source)
    sandbox.restore(state)
    return sandbox_document(call, sandbox)


def fork(call: ControlCall) -> dict[str, Any]:
    """Makes a sandbox that goes on from the state of this one."""
    spec: Fork = call.body
    id = secrets.token_hex(8) if spec.id is None else spec.id
    check_id(id, "$.id")
    if call.app.sandboxes.get(id) is not None:
        hint = "choose another id, or delete it"
        raise ControlError(409, f"there is a sandbox {id} already", "$.id", hint)
    ttl = parse_ttl(spec.ttl)
    sandbox = call.sandbox
    if spec.snapshot is not None:
        state = _named(sandbox, spec.snapshot, "$.snapshot").state
    else:
        state = sandbox.state()
    return sandbox_document(call, make_sandbox(call.app, id, ttl, state))


def rewind(call: ControlCall) -> dict[str, Any]:
    """Returns a sandbox to the state right before a request of its journal."""
    try:
        rewind_sandbox(call.sandbox, call.body.to)
    except SettingError as error:
        raise ControlError(409, error.message, "$.to", "see GET .../requests") from None
    return {"to": call.body.to, "now": times.instant_text(call.sandbox.clock.now())}


def world(call: ControlCall) -> dict[str, Any]:
    """Returns the present state as the data of a world file."""
    call.sandbox.run_due_events()
    data: dict[str, Any] = _in_items(world_export.world_data(call.sandbox.state()))
    return data


def _named(sandbox: Sandbox, name: str, at: str) -> NamedSnapshot:
    """Returns a snapshot by its name; raises ControlError (404)."""
    snapshot = sandbox.snapshots.get(name)
    if snapshot is None:
        known = choices(name, sandbox.snapshots) if sandbox.snapshots else "there is none yet"
        raise ControlError(404, f"no snapshot {name}", at, known)
    return snapshot


def _in_items(data: Any) -> Any:
    """Returns data whose long lists are encoded a few items at a time."""
    if isinstance(data, dict):
        return {key: _in_items(value) for key, value in data.items()}
    if isinstance(data, list) and len(data) > ITEMS_MAX:
        return Items(data, lambda item: item)
    return data
