"""The ``coinstats`` section of a world file (the seed data), and generated rows."""

from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from mockserver.model.amounts import Amount
from mockserver.model.provider import GeneratedUser
from mockserver.model.world import ZERO, Account, GeneratedAsset, Row, Section
from mockserver.providers.coinstats.auth import ClientKey, Key
from mockserver.providers.coinstats.exchanges import EXCHANGES


class Balance(Row, frozen=True, kw_only=True, gc=False, eq=False):
    """One row: ``asset`` is the coin's id, ``venue`` the name of a connection.

    ``price`` and ``price_btc`` are those of one coin, in USD and in BTC. Two rows are never
    equal, so that the rendered body of one is never sent for another.
    """

    price: Amount = ZERO
    price_btc: Amount = ZERO

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.price < 0 or self.price_btc < 0:
            raise ValueError("price and price_btc are never negative")


class Connection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exchange account: its credentials there, and the id of its portfolio where it is fixed.

    ``exchange`` is the connectionId; empty is the connection's name.
    """

    fields: dict[str, str]
    exchange: str = ""
    portfolio: str = ""


class Investor(Account, frozen=True, kw_only=True):
    """One account: its connections by name, and its rows."""

    connections: dict[str, Connection] = {}
    balances: list[Balance] = []

    def __post_init__(self) -> None:
        for name, connection in self.connections.items():
            self._check_fields(name, connection)
        fixed = [c.portfolio for c in self.connections.values() if c.portfolio]
        if len(set(fixed)) < len(fixed):
            raise ValueError("two connections have the same portfolio")
        for row in self.balances:
            if row.venue not in self.connections:
                raise ValueError(f"{row.asset} lies on {row.venue!r}, which is no connection")

    def _check_fields(self, name: str, connection: Connection) -> None:
        exchange = self.exchange(name)
        if exchange not in EXCHANGES:
            known = ", ".join(EXCHANGES)
            raise ValueError(f"connection {name}: no exchange {exchange!r}: there are {known}")
        for key in EXCHANGES[exchange].fields:
            if not connection.fields.get(key):
                raise ValueError(f"connection {name}: {exchange} needs the field {key}")

    def exchange(self, name: str) -> str:
        """Returns the connectionId of a connection."""
        return self.connections[name].exchange or name


class CoinstatsSection(Section, frozen=True, kw_only=True):
    """The ``coinstats`` section of a world file."""

    keys: dict[str, Key] = {}
    accounts: dict[str, Investor] = {}

    def credentials(self) -> dict[str, ClientKey]:
        """Returns the keys by label, each with the first connection of its account."""
        return {label: self._client_key(key) for label, key in self.keys.items()}

    def _client_key(self, key: Key) -> ClientKey:
        account = self.accounts[key.account]
        name = next(iter(account.connections), None)
        return ClientKey(
            **asdict(key),
            connection_id="" if name is None else account.exchange(name),
            connection_fields={} if name is None else account.connections[name].fields,
        )


def holder(user: GeneratedUser) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Returns a generated user's key, account id and account, as a world file has them."""
    key = {"api_key": user.entropy[:16].hex(), "account": user.label}
    secrets = {"apiKey": user.entropy[16:32].hex(), "apiSecret": user.entropy[32:].hex()}
    return key, user.label, {"connections": {"binance": {"fields": secrets}}}


def sample(n: int, digest: bytes, coin: GeneratedAsset) -> Balance:
    """Returns row ``n`` of a generated account, made from 16 bytes; all rows are on binance."""
    total = int.from_bytes(digest[:8], "big")
    return Balance(
        asset=coin.name.lower().replace(" ", "-"),
        venue="binance",
        total=Amount(f"{total // 10**10}.{total % 10**10:010d}"),
        price=Amount(f"{digest[8]}.{digest[9]:03d}"),
        price_btc=Amount(f"0.{int.from_bytes(digest[10:], 'big'):018d}"),
    )
