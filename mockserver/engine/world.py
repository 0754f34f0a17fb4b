"""Worlds, built once and shared by the sandboxes that start from them; and fresh keys.

A fresh key has random text in the form of the old: a digit becomes a digit, a letter a letter of
the same case, hex stays hex, other characters stay. A text with fewer than RANDOM_MIN digits and
letters becomes longer by the difference, so that no two keys are the same. Base64 that ends in
``=`` becomes the base64 of as many random bytes, BYTES_MIN at least.
"""

import base64
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
from mockserver.model.encoded import base64_bytes
from mockserver.model.provider import Provider
from mockserver.model.reject import Reject
from mockserver.model.world import Section

MAIN = "main"
REJECT = "reject-"
RANDOM_MIN = 12  # digits and letters
BYTES_MIN = 9  # which are as many in base64
ROWS_LARGE = 10_000  # of an account
HEX = {"0123456789abcdef": r"[0-9a-f]", "0123456789ABCDEF": r"[0-9A-F]"}
ALPHABETS = (string.digits, string.ascii_lowercase, string.ascii_uppercase)


class ProviderWorld(Struct, frozen=True):
    """One provider's part of a world, and values derived from it.

    ``keys`` are by label, ``credentials`` the same by the text that a client presents.
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

    @property
    def all_keys(self) -> dict[str, Any]:
        """The keys by label, and a ``reject-REASON`` for each of the provider's reasons."""
        main = self.keys.get(MAIN)
        rejects = _reject_keys(self.provider, main) if main is not None else {}
        return {**self.keys, **{k: v for k, v in rejects.items() if k not in self.keys}}

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


def reject_key(provider: Provider, main: Any, label: str) -> Any:
    """Returns the credential with the label ``reject-REASON``, made of ``main``; else None."""
    reason = label.removeprefix(REJECT)
    if main is None or reason == label or reason not in provider.errors:
        return None
    return replace(main, label=label, rejects=reason, **{provider.key: label})


def _reject_keys(provider: Provider, main: Any) -> dict[str, Any]:
    labels = [REJECT + reason for reason in provider.errors]
    return {label: reject_key(provider, main, label) for label in labels}


def _by_presented_text(provider: Provider, keys: Mapping[str, Any]) -> dict[bytes, Any]:
    """Returns keys by the text that a client presents; raises DataError for two alike."""
    by_text: dict[bytes, Any] = {}
    for key in keys.values():
        text = getattr(key, provider.key)
        encoded = text.encode()
        same = by_text.setdefault(encoded, key)
        reject = None if text in keys else reject_key(provider, keys.get(MAIN), text)
        label = same.label if reject is None else reject.label
        if same is not key or reject is not None:
            message = f"keys {label} and {key.label} are the same"
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
    size = _base64_size(text)
    if size:
        return base64.b64encode(hashlib.shake_256(entropy).digest(size)).decode()
    variable = [c for c in text if c.isascii() and c.isalnum()]
    in_hex = _hex_alphabets(variable)
    padding = ("0" if in_hex else "x") * (RANDOM_MIN - len(variable)) if text else ""
    alphabets = in_hex or ALPHABETS
    random = hashlib.shake_256(entropy).digest(2 * len(text + padding))
    pairs = [random[at : at + 2] for at in range(0, len(random), 2)]
    return "".join(
        _random_character(c, pair, alphabets) for c, pair in zip(text + padding, pairs, strict=True)
    )


def _base64_size(text: str) -> int:
    """Returns how many bytes of base64 make a text as padded as this, 0 where it is no such."""
    if not text.endswith("="):
        return 0
    try:
        size = len(base64_bytes(text))
    except ValueError:
        return 0
    return max(size, BYTES_MIN + size % 3)


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
    """The credentials of one provider in one sandbox, shared with the world until one changes.

    ``main`` is the credential that those with the labels ``reject-REASON`` are made of.
    """

    def __init__(
        self, provider: Provider, credentials: Mapping[bytes, Any], main: Any = None
    ) -> None:
        self.credentials = credentials
        self._provider = provider
        self._main = main
        self._copy: dict[bytes, Any] = {}  # of all credentials, once one has changed
        self._labels: dict[str, Any] = {}

    @property
    def labels(self) -> dict[str, Any]:
        """The credentials by label, those that reject included."""
        if not self._labels:
            own = {key.label: key for key in self.credentials.values()}
            rejects = _reject_keys(self._provider, self._main) if self._main is not None else {}
            self._labels = {**own, **{k: v for k, v in rejects.items() if k not in own}}
        return self._labels

    def put(self, credential: Any) -> None:
        """Replaces the credential with the same presented text."""
        if not self._copy:
            self.credentials = self._copy = dict(self.credentials)
        self._copy[getattr(credential, self._provider.key).encode()] = credential
        self.labels[credential.label] = credential

    def state(self) -> Mapping[bytes, Any]:
        """Returns the credentials; they are copied when one is changed next."""
        self._copy = {}
        return self.credentials

    def restore(self, state: Mapping[bytes, Any]) -> None:
        """Puts the credentials of a state in place of its own."""
        self.credentials, self._copy, self._labels = state, {}, {}

    def presented(self, text: bytes) -> Any:
        """Returns the credential that a client presents by this text, or None."""
        credential = self.credentials.get(text)
        if credential is None and text.startswith(REJECT.encode()):
            credential = reject_key(self._provider, self._main, text.decode("latin-1"))
            if credential is not None and credential.label in self._own_labels():
                return None
        return credential

    def _own_labels(self) -> set[str]:
        return {key.label for key in self.credentials.values()}

    def find(self, presented: bytes) -> Any:
        """Returns the credential; raises Reject for one that is unknown, revoked or rejects."""
        credential = self.credentials.get(presented) or self.presented(presented)
        if credential is None:
            raise Reject("unknown_credential")
        if credential.rejects:
            more = credential.reject_facts()
            raise Reject(credential.rejects, credential=credential.label, **more)
        if credential.revoked:
            raise Reject("revoked_credential", credential=credential.label)
        return credential

    def with_label(self, label: str) -> Any:
        """Returns the credential with this label, or None."""
        return self.labels.get(label)
