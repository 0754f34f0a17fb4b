"""Worlds, built once and shared by the sandboxes that start from them; and fresh keys.

A fresh key has random text in the form of the old: a digit becomes a digit, a letter a letter of
the same case, hex stays hex, other characters stay. A text with fewer than RANDOM_MIN digits and
letters becomes longer by the difference, so that no two keys are the same.
"""

import hashlib
import re
import string
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver.engine.ledger import LedgerAccounts, ledger_accounts
from mockserver.engine.router import Router
from mockserver.errors import DataError
from mockserver.model.provider import Provider
from mockserver.model.reject import Reject
from mockserver.model.world import Section

RANDOM_MIN = 12  # digits and letters
ROWS_LARGE = 10_000  # of an account
HEX = {"0123456789abcdef": r"[0-9a-f]", "0123456789ABCDEF": r"[0-9A-F]"}
ALPHABETS = (string.digits, string.ascii_lowercase, string.ascii_uppercase)


class ProviderWorld(Struct, frozen=True):
    """One provider's part of a world, and values derived from it.

    ``keys`` are by label. ``credentials`` are by the text that a client presents: the keys, and
    one more for each reject reason.
    """

    provider: Provider
    section: Section
    router: Router
    accounts: LedgerAccounts
    keys: dict[str, Any]
    credentials: dict[bytes, Any]

    @property
    def large(self) -> bool:
        """Whether an account has more than ROWS_LARGE rows, listed or generated."""
        return any(
            len(account.balances) + (account.generate.rows if account.generate else 0) > ROWS_LARGE
            for account in self.section.accounts.values()
        )

    def with_fresh_keys(self, entropy: Callable[[int], bytes]) -> "ProviderWorld":
        """Returns the part with fresh keys under the same labels; everything else is shared.

        ``entropy(n)`` returns n random bytes. Raises ValueError when a credential refuses its new
        text.
        """
        try:
            keys = {
                label: fresh_key(self.provider, key, entropy(64))
                for label, key in self.keys.items()
            }
            credentials = _by_presented_text(self.provider, keys)
        except ValueError as error:
            raise ValueError(f"no new keys for {self.provider.name}: {error}") from error
        return replace(self, keys=keys, credentials=credentials)


class World(Struct, frozen=True):
    """A named world (the seed data): a part for every provider, empty when the file has none."""

    name: str
    parts: dict[str, ProviderWorld]

    def with_fresh_keys(self, entropy: Callable[[int], bytes]) -> "World":
        """Returns the world with fresh keys; ``entropy(n)`` returns n random bytes.

        Raises ValueError when a credential refuses its new text.
        """
        return World(
            self.name, {name: p.with_fresh_keys(entropy) for name, p in self.parts.items()}
        )


def build(provider: Provider, section: Section) -> ProviderWorld:
    """Builds a provider's part; raises DataError for a section that contradicts itself."""
    accounts = ledger_accounts(provider, section)
    router = Router(provider.routes)
    keys = {label: replace(key, label=label) for label, key in section.credentials().items()}
    return ProviderWorld(
        provider, section, router, accounts, keys, _by_presented_text(provider, keys)
    )


def _with_reject_keys(provider: Provider, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Returns keys by label, with a ``reject-REASON`` added for each of the provider's reasons."""
    keys = dict(keys)
    main = keys.get("main")
    if main is not None:
        for reason in provider.errors:
            label = f"reject-{reason}"
            reject_key = replace(main, label=label, rejects=reason, **{provider.key: label})
            keys.setdefault(label, reject_key)
    return keys


def _by_presented_text(provider: Provider, keys: Mapping[str, Any]) -> dict[bytes, Any]:
    """Returns keys by the text that a client presents; raises DataError for two alike."""
    by_text: dict[bytes, Any] = {}
    for key in _with_reject_keys(provider, keys).values():
        text = getattr(key, provider.key).encode()
        if by_text.setdefault(text, key) is not key:
            message = f"keys {by_text[text].label} and {key.label} are the same"
            raise DataError(message, ("keys", key.label))
    return by_text


def fresh_key(provider: Provider, credential: Any, entropy: bytes) -> Any:
    """Returns a credential with new text, made from 64 random bytes.

    Where the credential has no ``regenerate`` of its own, its key is new text, and so is every
    secret text that clients need. Raises ValueError when the credential refuses the text.
    """
    fresh = credential.regenerate(entropy)
    if fresh is not None:
        return fresh
    handed_out = {*provider.members} & {*provider.secrets.names(credential)} | {provider.key}
    texts = {name: getattr(credential, name) for name in credential.__struct_fields__}
    new = {
        name: random_like(text, entropy + name.encode())
        for name, text in texts.items()
        if name in handed_out and isinstance(text, str)
    }
    return replace(credential, **new)


def random_like(text: str, entropy: bytes) -> str:
    """Returns random text in the form of ``text``, which depends on ``entropy`` alone."""
    variable = [c for c in text if c.isascii() and c.isalnum()]
    padding = "x" * (RANDOM_MIN - len(variable)) if text else ""
    alphabets = _hex_alphabets(variable) or ALPHABETS
    random = hashlib.shake_256(entropy).digest(2 * len(text + padding))
    pairs = [random[at : at + 2] for at in range(0, len(random), 2)]
    return "".join(
        _random_character(c, pair, alphabets) for c, pair in zip(text + padding, pairs, strict=True)
    )


def _hex_alphabets(characters: list[str]) -> tuple[str, ...]:
    """Returns the alphabet of a text in hex, which has digits and letters; () for others."""
    if all(c.isdigit() for c in characters) or all(c.isalpha() for c in characters):
        return ()
    return tuple(
        alphabet for alphabet, one in HEX.items() if all(re.match(one, c) for c in characters)
    )


def _random_character(character: str, random: bytes, alphabets: tuple[str, ...]) -> str:
    for alphabet in alphabets:
        if character in alphabet:
            return alphabet[int.from_bytes(random, "big") % len(alphabet)]
    return character


class CredentialStore:
    """The credentials of one provider in one sandbox, shared with the world until one changes."""

    def __init__(self, provider: Provider, credentials: Mapping[bytes, Any]) -> None:
        self.credentials = credentials
        self._key = provider.key
        self._copy: dict[bytes, Any] = {}  # of all credentials, once one has changed
        self._labels: dict[str, Any] = {}

    @property
    def labels(self) -> dict[str, Any]:
        """The credentials by label."""
        if not self._labels:
            self._labels = {key.label: key for key in self.credentials.values()}
        return self._labels

    def put(self, credential: Any) -> None:
        """Replaces the credential with the same presented text."""
        if not self._copy:
            self.credentials = self._copy = dict(self.credentials)
        self._copy[getattr(credential, self._key).encode()] = credential
        self.labels[credential.label] = credential

    def find(self, presented: bytes) -> Any:
        """Returns the credential; raises Reject for one that is unknown, revoked or rejects."""
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
