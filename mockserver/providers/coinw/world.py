"""The ``coinw`` section of a world file (the seed data), and generated rows."""

from typing import Any

from mockserver.model.amounts import EXACT, Amount, minus
from mockserver.model.provider import GeneratedUser
from mockserver.model.world import Account, GeneratedAsset, Row, Section
from mockserver.providers.coinw.auth import Key, new_key


class Balance(Row, frozen=True, kw_only=True, gc=False):
    """One coin of the spot account; ``held`` is the amount in open orders."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.venue:
            raise ValueError(f"a spot account has no venues: {self.asset} lies at {self.venue!r}")

    @property
    def available(self) -> Amount:
        """The total less what orders hold, at the total's own scale where nothing is held."""
        # fact: coinw-available-less-held
        return minus(self.total, self.held) if self.held else self.total


class Trader(Account, frozen=True, kw_only=True):
    """One spot account."""

    balances: list[Balance] = []


class CoinwSection(Section, frozen=True, kw_only=True):
    """The ``coinw`` section of a world file."""

    keys: dict[str, Key] = {}
    accounts: dict[str, Trader] = {}


def holder(user: GeneratedUser) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Returns a generated user's key, account id and account, as a world file has them."""
    return {**new_key(user.entropy), "account": user.label}, user.label, {}


def sample(n: int, digest: bytes, coin: GeneratedAsset) -> Balance:
    """Returns row ``n`` of a generated account, made from 16 bytes, with a random scale."""
    total = int.from_bytes(digest[:7], "big")
    held = total * digest[7] // 1024
    scale = digest[8] % 16
    return Balance(asset=coin.symbol, total=_scaled(total, scale), held=_scaled(held, scale))


def _scaled(units: int, scale: int) -> Amount:
    return Amount(EXACT.scaleb(units, -scale))
