"""Writes a state as a world file: its credentials, and accounts with their present rows."""

from collections.abc import Mapping
from typing import Any

import yaml
from msgspec.structs import fields

from mockserver.engine.ledger import LedgerAccount
from mockserver.engine.provider_state import ProviderStateValue
from mockserver.engine.snapshot import SandboxState
from mockserver.engine.world import ProviderWorld, World
from mockserver.files.plain import plain

ROWS_FLOW = 10_000  # characters of a line


def world_data(state: SandboxState) -> dict[str, Any]:
    """Returns the present state as the data of a world: rows and credentials as they are now."""
    sections = {
        name: _section_now(part, state.providers[name]) for name, part in state.world.parts.items()
    }
    return {"name": state.world.name, **{name: data for name, data in sections.items() if data}}


def world_text(data: Mapping[str, Any]) -> str:
    """Returns a world's data as YAML."""
    text: str = yaml.safe_dump(
        dict(data), sort_keys=False, default_flow_style=None, width=ROWS_FLOW, allow_unicode=True
    )
    return text


def initial_data(world: World) -> dict[str, Any]:
    """Returns a world as made, with the keys that its sandbox has."""
    return {
        "name": world.name,
        **{name: _section(part, part.keys, part.section) for name, part in world.parts.items()},
    }


def _section_now(part: ProviderWorld, state: ProviderStateValue) -> dict[str, Any]:
    """Returns a section with the present keys and rows, and what the records say of it."""
    by_label = {key.label: key for key in state.credentials.values()}
    keys = {label: by_label.get(label, key) for label, key in part.keys.items()}
    export = part.provider.section_now
    section = part.section if export is None else export(part.section, state.ledger.records)
    data = _section(part, keys, section)
    for id, account in state.ledger.accounts.items():
        if account is not part.accounts[id]:
            data["accounts"][id] = _account_now(account)
    return data


def _account_now(account: LedgerAccount) -> dict[str, Any]:
    members: dict[str, Any] = plain(account.account)
    members.pop("generate", None)
    return members | {"balances": [plain(row) for row in account.rows.values()]}


def _section(part: ProviderWorld, keys: Mapping[str, Any], section: Any) -> dict[str, Any]:
    """Returns a section of a world file; a key has the members that it has in a file."""
    data: dict[str, Any] = plain(section)
    if keys:
        data["keys"] = {label: _key(key, part.section.keys[label]) for label, key in keys.items()}
    return data


def _key(key: Any, in_file: Any) -> dict[str, Any]:
    names = {field.name for field in fields(in_file)} - {"label"}
    members: dict[str, Any] = plain(key)
    return {name: value for name, value in members.items() if name in names}
