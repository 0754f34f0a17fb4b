"""What a world file says of CDP: keys and accounts that belong to owners, and balances."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from msgspec.structs import asdict

from mockserver.model.amounts import Amount, places, times
from mockserver.model.provider import GeneratedUser
from mockserver.model.world import Account, GeneratedAsset, Row, Section
from mockserver.providers.cdp import keys
from mockserver.providers.cdp.auth import Caller, Key, new_id

DOCUMENTED = "account_af2937b0-9846-4fe7-bfe9-ccc22d935114"
UNIT = Amount("1")

CREATED = "2023-10-08T14:30:00Z"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AGES_MAX = 1024

PREFIX = "account_"
ID_SIZE = len(DOCUMENTED)
ID_SIGNS = frozenset("0123456789abcdef-")

ASSET_TYPES = ("crypto", "fiat")
ACCOUNT_TYPES = ("prime", "business", "cdp")
SYMBOL_MAX = 42


class Balance(Row, frozen=True, kw_only=True, gc=False, eq=False):
    """What an account holds of an asset; ``usd`` is the price of one unit.

    Two rows are never equal: ``3.0`` and ``3`` would be, but look different.
    """

    name: str = ""
    type: str = "crypto"
    decimals: int = 18
    usd: Amount | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.venue:
            raise ValueError("a balance of CDP lies at no venue")
        if not 0 < len(self.asset) <= SYMBOL_MAX or self.asset != self.asset.lower():
            raise ValueError(f"asset is a symbol in lower case of 1 to {SYMBOL_MAX} characters")
        if self.type not in ASSET_TYPES:
            raise ValueError(f"type is one of {', '.join(ASSET_TYPES)}")
        if not 0 <= self.decimals <= 40:
            raise ValueError("decimals must lie between 0 and 40")
        for amount in (self.total, self.held):
            if places(amount) > self.decimals:
                raise ValueError(f"{amount} needs more than {self.decimals} decimals")
        if self.usd is not None and (self.usd < 0 or self.asset == "usd"):
            raise ValueError("usd, the price of one unit, is never negative, and none for usd")

    @property
    def price(self) -> Amount | None:
        """The price of one unit in USD, where there is one."""
        return UNIT if self.asset == "usd" else self.usd

    @property
    def value(self) -> Amount | None:
        """What all of it is worth in USD, where it has a price."""
        return None if self.price is None else times(self.price, self.total)


class Portfolio(Account, frozen=True, kw_only=True):
    """One account; ``created`` and ``updated`` are times as in RFC 3339."""

    owner: str
    type: str = "cdp"
    name: str = ""
    created: str = CREATED
    updated: str = CREATED
    balances: list[Balance] = []

    def __post_init__(self) -> None:
        if self.type not in ACCOUNT_TYPES:
            raise ValueError(f"type is one of {', '.join(ACCOUNT_TYPES)}")
        for moment in (self.created, self.updated):
            if _instant(moment).tzinfo is None:
                raise ValueError(f"{moment} lacks Z or an offset")

    @property
    def age(self) -> int:
        """When it was created, in microseconds since the epoch."""
        return _age(self.created)


@lru_cache(AGES_MAX)
def _age(text: str) -> int:
    return (_instant(text) - EPOCH) // timedelta(microseconds=1)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


class CdpSection(Section, frozen=True, kw_only=True):
    """The ``cdp`` section of a world file."""

    keys: dict[str, Key] = {}
    accounts: dict[str, Portfolio] = {}

    def __post_init__(self) -> None:
        for id in self.accounts:
            if not is_account_id(id):
                raise ValueError(f"{id} is no account id: account_ and 36 signs of a UUID")

    def credentials(self) -> Mapping[str, Caller]:
        """Returns the keys, each with the accounts of its owner by label, or by id."""
        owned: dict[str, dict[str, str]] = {key.owner: {} for key in self.keys.values()}
        for id, account in self.accounts.items():
            owned.setdefault(account.owner, {})[account.label or id] = id
        return {
            label: Caller(**asdict(key), accounts=owned[key.owner])
            for label, key in self.keys.items()
        }


def is_account_id(text: str) -> bool:
    """Tells whether a text has the form of an account id."""
    return (
        len(text) == ID_SIZE
        and text.startswith(PREFIX)
        and ID_SIGNS.issuperset(text[len(PREFIX) :])
    )


def holder(person: GeneratedUser) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Returns a person's key, and an account for it."""
    entropy, owner = person.entropy, f"entity_{UUID(bytes=person.entropy[:16], version=4)}"
    key = {
        "key_id": new_id(entropy[32:]),
        "key_secret": keys.ed25519(entropy[:32]),
        "owner": owner,
    }
    id = f"{PREFIX}{UUID(bytes=entropy[16:32], version=4)}"
    return key, id, {"label": person.label, "owner": owner, "name": person.name}


def sample(n: int, digest: bytes, coin: GeneratedAsset) -> Balance:
    """Makes row ``n`` of a generated account from 16 bytes; one in sixteen has no price."""
    total = int.from_bytes(digest[:7], "big")
    held = total * digest[7] // 1024
    cents = int.from_bytes(digest[8:11], "big")
    return Balance(
        asset=coin.symbol.lower(),
        name=coin.name,
        decimals=8,
        total=Amount(f"{total // 10**8}.{total % 10**8:08d}"),
        held=Amount(f"{held // 10**8}.{held % 10**8:08d}"),
        usd=Amount(f"{cents // 100}.{cents % 100:02d}") if digest[11] >= 16 else None,
    )
