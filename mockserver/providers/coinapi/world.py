"""The ``coinapi`` section of a world (the seed data), and the events of its exchanges."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
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
SOURCES = (  # fact: coinapi-last-updated-values
    "INITIALIZATION",
    "BALANCE_MANAGER",
    "EXCHANGE",
)


class Outage(Struct, frozen=True):
    """An exchange that is unreachable; ``rejected_message`` is what its rejects quote."""

    rejected_message: str = ""


RECORDS = {EXCHANGE: dict[str, Outage | None]}


class Balance(Row, frozen=True, kw_only=True, gc=False):
    """One row: ``asset`` is the exchange's code of the asset, ``venue`` the exchange.

    ``coinapi`` is CoinAPI's code of the asset, empty if CoinAPI does not know it. ``rate_usd``
    is the price of one unit in US dollars.
    """

    coinapi: str = ""
    rate_usd: Amount = ZERO
    traded: Amount = ZERO
    last_updated_by: str = "INITIALIZATION"  # fact: coinapi-last-updated-initially

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.last_updated_by not in SOURCES:
            raise ValueError(f"last_updated_by must be one of {', '.join(SOURCES)}")
        if self.rate_usd < 0 or self.traded < 0:
            raise ValueError("rate_usd and traded must not be negative")

    def touched(self, by: str) -> "Balance":
        """Returns the row with the source of a change by ``exchange`` or ``control``."""
        # fact: coinapi-last-updated-after-change
        source = "EXCHANGE" if by == "exchange" else "BALANCE_MANAGER"
        return replace(self, last_updated_by=source)


class Trader(Account, frozen=True, kw_only=True):
    """One account: its connected exchanges, and its rows on them."""

    exchanges: list[str] = []
    balances: list[Balance] = []

    def __post_init__(self) -> None:
        for row in self.balances:
            if row.venue not in self.exchanges:
                raise ValueError(f"{row.asset} is on {row.venue!r}, which is not connected")


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
                raise ValueError(f"{id} is unreachable, but not connected to any account")

    def records(self) -> Iterator[PutRecord]:
        """Yields a record for each unreachable exchange."""
        for id in self.unreachable:
            yield PutRecord(EXCHANGE, id, Outage())


def section_now(
    section: CoinapiSection, records: Mapping[str, Mapping[Any, Any]]
) -> CoinapiSection:
    """Returns the section with the exchanges that are unreachable by these records."""
    unreachable = [id for id, outage in records.get(EXCHANGE, {}).items() if outage is not None]
    return replace(section, unreachable=unreachable)


def _set_outage(view: View, id: str, outage: Outage | None) -> PutRecord:
    if not any(id in rows.account.exchanges for rows in view.accounts.values()):
        raise ValueError(f"{id!r} is not connected to any account")
    return PutRecord(EXCHANGE, id, outage)


class ExchangeUnreachable(Event, frozen=True, tag="exchange_unreachable"):
    """An exchange becomes unreachable; ``rejected_message`` is what its rejects quote."""

    id: str
    rejected_message: str = ""

    def changes(self, view: View) -> tuple[Change, ...]:
        """Marks the exchange; raises ValueError if it is not connected to any account."""
        return (_set_outage(view, self.id, Outage(self.rejected_message)),)


class ExchangeReachable(Event, frozen=True, tag="exchange_reachable"):
    """An exchange becomes reachable again."""

    id: str

    def changes(self, view: View) -> tuple[Change, ...]:
        """Clears the mark; raises ValueError if it is not connected to any account."""
        return (_set_outage(view, self.id, None),)


class BalanceUpdate(Event, frozen=True, tag="balance_update"):
    """An exchange reports a new total and held amount of an existing row."""

    account: str
    asset: str
    venue: str
    total: Amount
    held: Amount = ZERO

    def changes(self, view: View) -> tuple[Change, ...]:
        """Replaces total and held; raises ValueError for an unknown row."""
        account = view.accounts.get(self.account)
        row = account and account.rows.get((self.asset, self.venue))
        if not row:
            raise ValueError(f"no row {self.asset} on {self.venue} in account {self.account}")
        return (SetRow(self.account, replace(row, total=self.total, held=self.held)),)


def holder(user: GeneratedUser) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Returns a key, an account id and an account with one exchange for a generated user."""
    key = {"api_key": new_key(user.entropy), "account": user.label}
    return key, user.label, {"exchanges": ["KRAKEN"]}


def sample(n: int, digest: bytes, coin: GeneratedAsset) -> Balance:
    """Returns row ``n`` of a generated account, on KRAKEN.

    ``digest`` are 16 bytes from which the amounts are derived.
    """
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
