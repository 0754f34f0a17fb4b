"""The known mistakes of one provider's clients, as a table for the one driver of such tables."""

import base64
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from contract_tests.support.raw import exchange
from mockserver import MockServer

NOW = 1_747_444_800
SECRET = hashlib.sha256(b"main").hexdigest()  # can be read as hex and as base64
OTHER_SECRET = hashlib.sha256(b"other").hexdigest()
UNSOLVED = "no known mistake reproduces this signature"

# The same secret as careless clients write it.
WRITINGS = (
    SECRET,
    SECRET.upper(),
    base64.b64encode(SECRET.encode()).decode(),
    SECRET.encode().hex(),
    "".join(f"%{ord(sign):02x}" for sign in SECRET),
)

Change = Callable[[Any], Any]


@dataclass(frozen=True)
class MistakeTable:
    """Mistakes as changes of right calls, and what is true of their explanations.

    ``raw`` returns a call as sent. ``likely`` has the mistakes that are found in pairs, by kind:
    those of one kind hide each other. ``both`` returns the rules of two in one request.
    """

    provider: str
    keys: Mapping[str, Mapping[str, Any]]
    raw: Callable[[Any], bytes]
    requests: Mapping[str, Any]
    mistakes: Sequence[tuple[str, str, tuple[str, ...], Change]]  # about, rule, requests, change
    likely: Sequence[Collection[str]]
    both: Callable[[str, str, str], list[str]]  # of a request and two mistakes
    right: Any  # the call that the rows below change
    shown: Sequence[tuple[Change, str, str]]  # change, expected, received
    unknown: Sequence[tuple[str, Change, str]]  # about, change, received
    unknown_text: Mapping[str, str]  # expected and fix of them
    long: Sequence[tuple[Any, str]]  # a wrong call, rule
    bounded: Sequence[Any]  # calls that reach the bound of tries
    bounded_by_size: Sequence[Any]  # long calls that reach the bound of hashed bytes
    key_name: str
    with_key: Callable[[str], Any]
    keys_sent: Sequence[tuple[str, str]]  # sent as a key, rule
    careless: Sequence[bytes]

    @property
    def by_name(self) -> Mapping[str, tuple[str, tuple[str, ...], Change]]:
        """Rule, requests and change by name."""
        return {about: (rule, names, change) for about, rule, names, change in self.mistakes}

    def exposed(self, texts: str, *more: str) -> list[str]:
        """Returns the secrets that a text has, in any writing."""
        members = ("key_id", "api_key", "secret", "secret_key")
        secrets = [key[name] for key in self.keys.values() for name in members if name in key]
        return [w for secret in (*secrets, *more) for w in _writings(secret) if w in texts]


def _writings(secret: str) -> set[str]:
    raw = secret.encode()
    bases = {base64.b64encode(raw), base64.urlsafe_b64encode(raw)}
    decoded = repr(bytes.fromhex(secret))[2:-1] if len(secret) == len(SECRET) else secret
    encoded = (quote(secret, safe=""), raw.hex(), raw.hex().upper())
    return {secret, decoded, *encoded, *(base.decode().rstrip("=") for base in bases)}


def fingerprint(value: str, label: str = "value") -> str:
    """Returns what stands for a secret in an explanation."""
    return f"{label}:{hashlib.sha256(value.encode()).hexdigest()[:8]}"


def explained(server: MockServer, provider: str, raw: bytes) -> dict[str, str]:
    """Sends a request and returns reason and explanation of its rejection."""
    server.clear_journal()  # a long one takes long to read
    exchange(getattr(server, provider).base_url, raw)
    entry = server.journal[-1]
    return {"reason": entry.reason} | (entry.explanation or {})
