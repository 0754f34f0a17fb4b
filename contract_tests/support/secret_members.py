"""The members of responses that hold a secret."""

from collections.abc import Iterator, Mapping
from typing import Any

# Members of a credential that are no secret: anybody may know them.
PUBLIC = {
    "cdp": {"key_id", "key_type", "accounts"},
    "coinstats": {"connection_id"},
}


def members(credential: Mapping[str, Any]) -> dict[str, str]:
    """Returns what a client could send of a credential, by name; no name has another in it."""
    flat: dict[str, str] = {}
    for name, value in credential.items():
        flat |= value if isinstance(value, dict) and name != "accounts" else {name: value}
    return {name: value for name, value in flat.items() if isinstance(value, str)}


def secret_members(provider: str, credential: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields what is secret of a credential; keys named for a reason are their own label."""
    for name, value in members(credential).items():
        if name not in PUBLIC.get(provider, ()) and not value.startswith("reject-"):
            yield f"{provider} {name}", value
