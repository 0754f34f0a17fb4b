"""What a world file says of the gateway."""

from typing import Any

from msgspec.structs import replace

from mockserver.model.amounts import Amount, places
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

    ``decimals`` is the currency's precision; ``fee`` and ``minimum`` are those of a
    withdrawal.
    """

    decimals: int = 18
    fee: Amount = ZERO
    minimum: Amount = ZERO

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.decimals <= 40:
            raise ValueError("decimals must lie between 0 and 40")
        for amount in (self.total, self.held, self.fee, self.minimum):
            if scale(amount) > self.decimals or amount < 0:
                raise ValueError(f"{amount} needs more than {self.decimals} decimals, or a sign")


def scale(amount: Amount) -> int:
    """Returns how many places behind the point an amount uses."""
    return places(amount)


class Holder(Account, frozen=True, kw_only=True):
    """One account of the gateway."""

    balances: list[Balance] = []


class CpgSection(Section, frozen=True, kw_only=True):
    """The ``cpg`` section of a world file."""

    keys: dict[str, Key] = {}
    accounts: dict[str, Holder] = {}


class PermissionChanged(Event, frozen=True, tag="permission_changed"):
    """A key, named by its label, may do other things than before."""

    key: str
    permissions: tuple[str, ...]

    def changes(self, view: View) -> tuple[Change, ...]:
        """Changes the key."""
        return (SetKey(replace(key_with_label(view, self.key), permissions=self.permissions)),)


def holder(person: GeneratedUser) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Returns a person's key, and an account for it."""
    secret = person.entropy[:32].hex()
    return (
        {"key_id": f"cpg_{person.label}", "secret": secret, "account": person.label},
        person.label,
        {},
    )


def sample(n: int, digest: bytes, coin: GeneratedAsset) -> Balance:
    """Makes row ``n`` of a generated account from 16 bytes."""
    total = int.from_bytes(digest[:7], "big")
    held = total * digest[7] // 1024
    return Balance(
        asset=coin.symbol,
        venue=NETWORKS[n % 3],
        decimals=6,
        total=Amount(f"{total // 10**6}.{total % 10**6:06d}"),
        held=Amount(f"{held // 10**6}.{held % 10**6:06d}"),
    )
