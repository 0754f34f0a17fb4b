"""The ``cdp`` section of a world (the seed data): keys and accounts by owner, and balances."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import asdict

from mockserver.model.amounts import Amount, check_decimals, times
from mockserver.model.provider import GeneratedUser
from mockserver.model.world import Account, GeneratedAsset, Row, Section
from mockserver.providers.cdp import keys
from mockserver.providers.cdp.auth import Key, KeyWithAccounts, new_key_id

DOCUMENTED_ACCOUNT = "account_af2937b0-9846-4fe7-bfe9-ccc22d935114"
ONE_USD = Amount("1")

DEFAULT_TIME = "2023-10-08T14:30:00Z"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PREFIX = "account_"
ID_SIZE = len(DOCUMENTED_ACCOUNT)
ID_CHARACTERS = frozenset("0123456789abcdef-")

ASSET_TYPES = ("crypto", "fiat")  # fact: cdp-asset-types
ACCOUNT_TYPES = ("prime", "business", "cdp")  # fact: cdp-account-types
SYMBOL_MAX = 42
CUSTOMER = "customer_"


class Balance(Row, frozen=True, kw_only=True, gc=False, eq=False):
    """The balance of one asset; ``usd`` is the price of one unit in US dollars.

    Rows are compared by identity, because ``3.0`` equals ``3`` but is rendered differently.
    """

    name: str = ""
    type: str = "crypto"
    decimals: int = 18
    usd: Amount | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.venue:
            raise ValueError("a CDP balance has no venue")
        # fact: cdp-asset-symbol, cdp-asset-symbol-case
        if not 0 < len(self.asset) <= SYMBOL_MAX or self.asset != self.asset.lower():
            raise ValueError(f"asset must be a lower case symbol of 1 to {SYMBOL_MAX} characters")
        if self.type not in ASSET_TYPES:
            raise ValueError(f"type must be one of {', '.join(ASSET_TYPES)}")
        if not 0 <= self.decimals <= 40:
            raise ValueError("decimals must be between 0 and 40")
        for amount in (self.total, self.held):
            check_decimals(amount, self.decimals)
        if self.usd is not None and (self.usd < 0 or self.asset == "usd"):
            raise ValueError(
                "usd, the price of one unit, must not be negative, and usd itself has none"
            )

    @property
    def price(self) -> Amount | None:
        """The price of one unit in US dollars, or None."""
        return ONE_USD if self.asset == "usd" else self.usd

    @property
    def value(self) -> Amount | None:
        """The value of the total in US dollars, or None without a price."""
        return None if self.price is None else times(self.price, self.total)


class Portfolio(Account, frozen=True, kw_only=True):
    """One account; ``created`` and ``updated`` are RFC 3339 times.

    ``parent`` is the entity whose customer the owner is; its keys see the account as well.
    """

    owner: str
    parent: str = ""
    type: str = "cdp"  # fact: cdp-account-defaults
    name: str = ""
    created: str = DEFAULT_TIME
    updated: str = DEFAULT_TIME
    balances: list[Balance] = []

    def __post_init__(self) -> None:
        if self.type not in ACCOUNT_TYPES:
            raise ValueError(f"type must be one of {', '.join(ACCOUNT_TYPES)}")
        if self.parent and not self.owner.startswith(CUSTOMER):
            raise ValueError(f"parent is for an owner that begins with {CUSTOMER}")
        for time in (self.created, self.updated):
            if _parse_time(time).tzinfo is None:
                raise ValueError(f"{time} lacks Z or an offset")

    @property
    def seen_by(self) -> tuple[str, ...]:
        """The owners whose keys see the account."""
        return (self.owner, self.parent) if self.parent else (self.owner,)  # fact: cdp-customers

    @property
    def age(self) -> int:
        """The time of creation, in microseconds since the epoch."""
        return (_parse_time(self.created) - EPOCH) // timedelta(microseconds=1)


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


class CdpSection(Section, frozen=True, kw_only=True):
    """The ``cdp`` section of a world file."""

    keys: dict[str, Key] = {}
    accounts: dict[str, Portfolio] = {}

    def __post_init__(self) -> None:
        for id in self.accounts:
            if not is_account_id(id):
                raise ValueError(
                    f"{id} is not an account id: account_ and the 36 characters of a UUID"
                )

    def credentials(self) -> Mapping[str, KeyWithAccounts]:
        """Returns the keys with the accounts that they see: ids by label, or else by id."""
        by_owner: dict[str, dict[str, str]] = {key.owner: {} for key in self.keys.values()}
        for id, account in self.accounts.items():
            for owner in account.seen_by:
                by_owner.setdefault(owner, {})[account.label or id] = id
        return {
            label: KeyWithAccounts(**asdict(key), accounts=by_owner[key.owner])
            for label, key in self.keys.items()
        }


# fact: cdp-account-id
def is_account_id(text: str) -> bool:
    """Returns whether a text has the form of an account id."""
    return (
        len(text) == ID_SIZE
        and text.startswith(PREFIX)
        and ID_CHARACTERS.issuperset(text[len(PREFIX) :])
    )


def holder(user: GeneratedUser) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Returns a key, an account id and an account for a generated user."""
    entropy, owner = user.entropy, f"entity_{UUID(bytes=user.entropy[:16], version=4)}"
    key = {
        "key_id": new_key_id(entropy[32:]),
        "key_secret": keys.ed25519_secret(entropy[:32]),
        "owner": owner,
    }
    id = f"{PREFIX}{UUID(bytes=entropy[16:32], version=4)}"
    return key, id, {"label": user.label, "owner": owner, "name": user.name}


def sample(n: int, digest: bytes, coin: GeneratedAsset) -> Balance:
    """Returns row ``n`` of a generated account; about one row in sixteen has no price.

    ``digest`` are 16 bytes from which the amounts are derived.
    """
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
