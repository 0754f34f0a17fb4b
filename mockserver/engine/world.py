"""What a sandbox starts from: immutable, built once, shared by every sandbox made of it."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.engine.ledger import ledger_accounts
from mockserver.engine.router import Router
from mockserver.model.account_rows import Accounts
from mockserver.model.provider import Provider
from mockserver.model.reject import Reject
from mockserver.model.world import Section


class ProviderWorld(Struct, frozen=True):
    """One provider's part of a world, with what is derived from it.

    ``credentials`` are found by what a client presents: the keys, and one more for
    each reason.
    """

    provider: Provider
    section: Section
    router: Router
    accounts: Accounts
    keys: dict[str, Any]
    credentials: dict[bytes, Any]

    def with_fresh_keys(self, entropy: Callable[[int], bytes]) -> "ProviderWorld":
        """Returns the part with fresh keys under the same labels; all else is shared.

        Raises ValueError when the provider's credentials refuse what they would become.
        """
        renewed = self.provider.with_fresh_keys
        try:
            keys = {label: renewed(key, entropy(64)) for label, key in self.keys.items()}
            credentials = _index(self.provider, keys)
        except ValueError as error:
            raise ValueError(f"no new keys for {self.provider.name}: {error}") from error
        return replace(self, keys=keys, credentials=credentials)


class World(Struct, frozen=True):
    """A named world: a part for every provider, an empty one where the file has none."""

    name: str
    parts: dict[str, ProviderWorld]

    def with_fresh_keys(self, entropy: Callable[[int], bytes]) -> "World":
        """Returns the world with fresh keys; ``entropy`` gives so many random bytes.

        Raises ValueError when a provider cannot have them.
        """
        return World(
            self.name, {name: p.with_fresh_keys(entropy) for name, p in self.parts.items()}
        )


def build(provider: Provider, section: Section) -> ProviderWorld:
    """Builds a provider's part; raises ValueError when the section contradicts itself."""
    accounts = ledger_accounts(provider, section)
    router = Router(provider.routes)
    keys = {label: replace(key, label=label) for label, key in section.credentials().items()}
    return ProviderWorld(provider, section, router, accounts, keys, _index(provider, keys))


def _index(provider: Provider, keys: Mapping[str, Any]) -> dict[bytes, Any]:
    """Indexes keys by what a client presents, one ``reject-REASON`` for each reason added."""
    keys = dict(keys)
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


class CredentialStore:
    """The credentials of one provider in one sandbox; shared with the world until one changes."""

    def __init__(self, provider: Provider, credentials: Mapping[bytes, Any]) -> None:
        self.credentials = credentials
        self._key = provider.key
        self._own: dict[bytes, Any] = {}  # a copy of them all, once one has changed
        self._labels: dict[str, Any] = {}

    @property
    def labels(self) -> dict[str, Any]:
        """The credentials by label."""
        if not self._labels:
            self._labels = {key.label: key for key in self.credentials.values()}
        return self._labels

    def put(self, credential: Any) -> None:
        """Puts a credential in the place of the one that is presented in the same way."""
        if not self._own:
            self.credentials = self._own = dict(self.credentials)
        self._own[getattr(credential, self._key).encode()] = credential
        self.labels[credential.label] = credential

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

    def with_label(self, label: str) -> Any:
        """Returns the credential with this label, or None."""
        return self.labels.get(label)
