"""What an explanation says, and what it is made of."""

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from mockserver.model.http import Request
from mockserver.model.provider import Keyring


class Explanation(Struct, frozen=True):
    """The first broken rule, what was expected, what came, and what to change."""

    rule: str
    expected: str
    received: str
    fix: str


class LabelledKeys(Keyring, Protocol):
    """A vault that tells all it holds."""

    @property
    def labels(self) -> Mapping[str, Any]:
        """The credentials by label."""


class RejectedRequest(Struct, frozen=True):
    """A refused request with its secrets, of which only explanations leave."""

    request: Request
    reason: str
    facts: Mapping[str, Any]
    keyring: LabelledKeys
    quirks: Mapping[str, Any]
    auth_now: int

    @property
    def keys(self) -> list[Any]:
        """The credentials of the world, without those that are made to be refused."""
        return [key for key in self.keyring.labels.values() if not key.rejects]


def clock_drift(refused: RejectedRequest, window: str) -> Explanation:
    """Explains a timestamp that is too far off; the facts have the drift in seconds."""
    off = refused.facts.get("drift")
    when = "behind" if (off or 0) < 0 else "ahead"
    told = "no whole number of seconds" if off is None else f"{abs(off)} s {when} of the exchange"
    return Explanation(
        "clock drift",
        f"a time within {window} of the exchange's clock",
        told,
        "Set the clock, or sign with the time of the exchange's Date header.",
    )
