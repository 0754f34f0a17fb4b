"""What a world file says of CoinAPI, and what happens to its exchanges."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from mockserver.model.amounts import Amount
from mockserver.model.provider import GeneratedUser
from mockserver.model.world import (
    ZERO,
    Account,
    Change,
    Event,
    GeneratedAsset,
    PutRecord,
    Row,
    Section,
    SetRow,
    View,
)
from mockserver.providers.coinapi.auth import Key, new_key

EXCHANGE = "exchange"
SOURCES = ("INITIALIZATION", "BALANCE_MANAGER", "EXCHANGE")


class Balance(Row, frozen=True, kw_only=True, gc=False):
    """One row: ``asset`` is the exchange's code, ``venue`` the exchange.

    ``coinapi`` is CoinAPI's own code for the asset; where it is empty CoinAPI does
    not know the asset. ``rate_usd`` is the price of one unit.
    """

    coinapi: str = ""
    rate_usd: Amount = ZERO
    traded: Amount = ZERO
    last_updated_by: str = "INITIALIZATION"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.last_updated_by not in SOURCES:
            raise ValueError(f"last_updated_by is one of {', '.join(SOURCES)}")
        if self.rate_usd < 0 or self.traded < 0:
            raise ValueError("rate_usd and traded are never negative")

    def touched(self, by: str) -> "Balance":
        """Returns the row with who changed it last."""
        source = "EXCHANGE" if by == "exchange" else "BALANCE_MANAGER"
        return replace(self, last_updated_by=source)


class Trader(Account, frozen=True, kw_only=True):
    """One account: the exchanges it has connected, and its rows on them."""

    exchanges: list[str] = []
    balances: list[Balance] = []

    def __post_init__(self) -> None:
        for row in self.balances:
            if row.venue not in self.exchanges:
                raise ValueError(f"{row.asset} lies on {row.venue!r}, which is not connected")


class CoinapiSection(Section, frozen=True, kw_only=True):
    """The ``coinapi`` section of a world file."""

    keys: dict[str, Key] = {}
    accounts: dict[str, Trader] = {}
    unreachable: list[str] = []

    def __post_init__(self) -> None:
        super().__post_init__()
        connected = {id for account in self.accounts.values() for id in account.exchanges}
        for id in self.unreachable:
            if id not in connected:
                raise ValueError(f"{id} is unreachable, but no account has it connected")

    def records(self) -> Iterator[PutRecord]:
        """Yields which exchanges cannot be reached."""
        for id in self.unreachable:
            yield PutRecord(EXCHANGE, id, False)


def _reach(view: View, id: str, reachable: bool) -> PutRecord:
    if not any(id in held.account.exchanges for held in view.accounts.values()):
        raise ValueError(f"no account has {id!r} connected")
    return PutRecord(EXCHANGE, id, reachable)


class ExchangeUnreachable(Event, frozen=True, tag="exchange_unreachable"):
    """An exchange cannot be reached any more."""

    id: str

    def changes(self, view: View) -> tuple[Change, ...]:
        """Marks the exchange; raises ValueError for one that nobody has connected."""
        return (_reach(view, self.id, False),)


class ExchangeReachable(Event, frozen=True, tag="exchange_reachable"):
    """An exchange can be reached again."""

    id: str

    def changes(self, view: View) -> tuple[Change, ...]:
        """Clears the mark; raises ValueError for one that nobody has connected."""
        return (_reach(view, self.id, True),)


class BalanceUpdate(Event, frozen=True, tag="balance_update"):
    """An exchange reports new figures for a row that exists."""

    account: str
    asset: str
    venue: str
    total: Amount
    held: Amount = ZERO

    def changes(self, view: View) -> tuple[Change, ...]:
        """Replaces total and held."""
        holdings = view.accounts.get(self.account)
        row = holdings and holdings.rows.get((self.asset, self.venue))
        if not row:
            raise ValueError(f"no row {self.asset} on {self.venue} in account {self.account}")
        return (SetRow(self.account, replace(row, total=self.total, held=self.held)),)


def holder(person: GeneratedUser) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Returns a person's key, and an account for it with one exchange connected."""
    key = {"api_key": new_key(person.entropy), "account": person.label}
    return key, person.label, {"exchanges": ["KRAKEN"]}


def sample(n: int, digest: bytes, coin: GeneratedAsset) -> Balance:
    """Makes row ``n`` of a generated account from 16 bytes; all lie on KRAKEN."""
    total = int.from_bytes(digest[:8], "big")
    held = total * digest[8] // 1024
    return Balance(
        asset=coin.symbol,
        venue="KRAKEN",
        coinapi=coin.symbol,
        total=Amount(f"{total // 10**10}.{total % 10**10:010d}"),
        held=Amount(f"{held // 10**10}.{held % 10**10:010d}"),
        rate_usd=Amount(f"{digest[9]}.{digest[10]:03d}"),
    )
