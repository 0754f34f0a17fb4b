"""What a world file says of CoinW."""

from typing import Any

from mockserver.model.amounts import EXACT, Amount, minus
from mockserver.model.provider import GeneratedUser
from mockserver.model.world import Account, GeneratedAsset, Row, Section
from mockserver.providers.coinw.auth import Key, new_key


class Balance(Row, frozen=True, kw_only=True, gc=False):
    """One coin of the spot account; ``held`` is what open orders hold of it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.venue:
            raise ValueError(f"a spot account has no venues: {self.asset} lies at {self.venue!r}")

    @property
    def available(self) -> Amount:
        """What can be spent, at the total's own scale where nothing is held."""
        return minus(self.total, self.held) if self.held else self.total


class Trader(Account, frozen=True, kw_only=True):
    """One spot account."""

    balances: list[Balance] = []


class CoinwSection(Section, frozen=True, kw_only=True):
    """The ``coinw`` section of a world file."""

    keys: dict[str, Key] = {}
    accounts: dict[str, Trader] = {}


def holder(person: GeneratedUser) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Returns a person's key, and an account for it."""
    return {**new_key(person.entropy), "account": person.label}, person.label, {}


def sample(n: int, digest: bytes, coin: GeneratedAsset) -> Balance:
    """Makes row ``n`` of a generated account from 16 bytes, each at a scale of its own."""
    total = int.from_bytes(digest[:7], "big")
    held = total * digest[7] // 1024
    scale = digest[8] % 16
    return Balance(asset=coin.symbol, total=_scaled(total, scale), held=_scaled(held, scale))


def _scaled(units: int, scale: int) -> Amount:
    return Amount(EXACT.scaleb(units, -scale))
