"""What a sandbox starts from: immutable, built once, shared by every sandbox made of it."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.engine.ledger import holdings
from mockserver.engine.router import Router
from mockserver.wire.provider import Provider
from mockserver.wire.reject import Reject
from mockserver.wire.world import Holdings, Section


class Part(Struct, frozen=True):
    """One provider's part of a world, with what is derived from it."""

    provider: Provider
    section: Section
    router: Router
    accounts: dict[str, Holdings]
    credentials: dict[bytes, Any]


class World(Struct, frozen=True):
    """A named world: a part for every provider, an empty one where the file has none."""

    name: str
    parts: dict[str, Part]


def build(provider: Provider, section: Section) -> Part:
    """Builds a provider's part; raises ValueError when the section contradicts itself."""
    accounts = holdings(provider, section)
    router = Router(provider.routes, provider.base_path)
    return Part(provider, section, router, accounts, _credentials(provider, section))


def _credentials(provider: Provider, section: Section) -> dict[bytes, Any]:
    """Indexes the keys by what a client presents, one ``reject-REASON`` for each reason added."""
    keys = {label: replace(key, label=label) for label, key in section.credentials().items()}
    main = keys.get("main")
    if main is not None:
        for reason in provider.errors:
            label = f"reject-{reason}"
            keys.setdefault(
                label, replace(main, label=label, rejects=reason, **{provider.key: label})
            )
    index: dict[bytes, Any] = {}
    for key in keys.values():
        presented = getattr(key, provider.key).encode()
        if index.setdefault(presented, key) is not key:
            raise ValueError(f"keys {index[presented].label} and {key.label} are the same")
    return index


class Vault:
    """The credentials of one provider in one sandbox."""

    def __init__(self, credentials: Mapping[bytes, Any]) -> None:
        self.credentials = dict(credentials)

    def find(self, presented: bytes) -> Any:
        """Returns the credential; raises Reject for an unknown, revoked or refusing one."""
        credential = self.credentials.get(presented)
        if credential is None:
            raise Reject("unknown_credential")
        if credential.rejects:
            raise Reject(credential.rejects, credential=credential.label)
        if credential.revoked:
            raise Reject("revoked_credential", credential=credential.label)
        return credential

    def labelled(self, label: str) -> Any:
        """Returns the credential with this label, or None."""
        return next((c for c in self.credentials.values() if c.label == label), None)
