"""The ``cpg`` section of a world file (the seed data), and generated rows."""

from typing import Any

from msgspec.structs import replace

from mockserver.model.amounts import Amount, check_decimals, places
from mockserver.model.provider import GeneratedUser
from mockserver.model.world import (
    ZERO,
    Account,
    Change,
    Event,
    GeneratedAsset,
    Row,
    Section,
    SetKey,
    View,
    key_with_label,
)
from mockserver.providers.cpg.auth import Key

NETWORKS = ("ETH", "BSC", "TRX")


class Balance(Row, frozen=True, kw_only=True, gc=False):
    """One (currency, network) row: ``venue`` is the network.

    ``decimals`` is the currency's precision; ``fee`` and ``minimum`` apply to withdrawals.
    """

    decimals: int = 18
    fee: Amount = ZERO
    minimum: Amount = ZERO

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.decimals <= 40:
            raise ValueError("decimals must lie between 0 and 40")
        for amount in (self.total, self.held, self.fee, self.minimum):
            if amount < 0:
                raise ValueError(f"{amount:f} is negative: total, held, fee and minimum are not")
            check_decimals(amount, self.decimals)


def scale(amount: Amount) -> int:
    """Returns how many decimal places an amount uses."""
    return places(amount)


class Holder(Account, frozen=True, kw_only=True):
    """One account of the gateway."""

    balances: list[Balance] = []


class CpgSection(Section, frozen=True, kw_only=True):
    """The ``cpg`` section of a world file."""

    keys: dict[str, Key] = {}
    accounts: dict[str, Holder] = {}


class PermissionChanged(Event, frozen=True, tag="permission_changed"):
    """The permissions of a key, named by its label, change."""

    key: str
    permissions: tuple[str, ...]

    def changes(self, view: View) -> tuple[Change, ...]:
        """Returns the change of the key; raises ValueError for an unknown label."""
        return (SetKey(replace(key_with_label(view, self.key), permissions=self.permissions)),)


def holder(user: GeneratedUser) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Returns a generated user's key, account id and account, as a world file has them."""
    secret = user.entropy[:32].hex()
    return (
        {"key_id": f"cpg_{user.label}", "secret": secret, "account": user.label},
        user.label,
        {},
    )


def sample(n: int, digest: bytes, coin: GeneratedAsset) -> Balance:
    """Returns row ``n`` of a generated account, made from 16 bytes."""
    total = int.from_bytes(digest[:7], "big")
    held = total * digest[7] // 1024
    return Balance(
        asset=coin.symbol,
        venue=NETWORKS[n % 3],
        decimals=6,
        total=Amount(f"{total // 10**6}.{total % 10**6:06d}"),
        held=Amount(f"{held // 10**6}.{held % 10**6:06d}"),
    )
