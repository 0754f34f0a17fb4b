"""``POST /v1/exchange/balance``: the coins on one exchange, and the portfolio they make."""

from collections.abc import Callable

import msgspec

from mockserver.model.account_rows import ByVenue, RenderedRows
from mockserver.model.amounts import Amount, number
from mockserver.model.provider import Answer
from mockserver.model.reject import Reject
from mockserver.model.world import View
from mockserver.providers.coinstats import portfolios
from mockserver.providers.coinstats.query import BalanceQuery
from mockserver.providers.coinstats.usage import BALANCE, charge
from mockserver.providers.coinstats.world import Balance, Investor


def get_balance(view: View, query: BalanceQuery) -> Answer:
    """Lists the coins of a connection; the first call makes its portfolio."""
    holdings = view.accounts[view.credential.account]
    venue = _connection(holdings.account, query)
    items = holdings.derive(ITEMS[view.quirks["numbers"]])
    places = holdings.derive(ByVenue).of(venue)
    portfolio = portfolios.opened(view, venue, query)
    body = {
        "balances": [items[holdings.rows[place]] for place in places],
        "portfolio": portfolios.shown(view, portfolio),
    }
    return Answer(body, (charge(view, BALANCE), portfolios.kept(view, portfolio)))


def _connection(investor: Investor, query: BalanceQuery) -> str:
    """Returns the name of the connection with these credentials."""
    for name, connection in investor.connections.items():
        if investor.exchange(name) == query.exchange:
            if connection.fields.items() <= query.fields.items():
                return name
    known = [(investor.exchange(name), c.fields) for name, c in investor.connections.items()]
    raise Reject("bad_exchange_credentials", connections=known)


def _item(row: Balance, show: Callable[[Amount], msgspec.Raw]) -> msgspec.Raw:
    item = {
        "coinId": row.asset,
        "amount": show(row.total),
        "price": show(row.price),
        "priceBtc": show(row.price_btc),
    }
    return msgspec.Raw(msgspec.json.encode(item))


def _exponent(amount: Amount) -> msgspec.Raw:
    """Renders every digit before a power of ten, as JavaScript does to small numbers."""
    return msgspec.Raw(format(amount, "E").encode())


class Plain(RenderedRows):
    """How rows are written with plain digits."""

    @staticmethod
    def write(row: Balance) -> msgspec.Raw:
        """Writes a row."""
        return _item(row, number)


class Exponent(RenderedRows):
    """How rows are written with exponents."""

    @staticmethod
    def write(row: Balance) -> msgspec.Raw:
        """Writes a row."""
        return _item(row, _exponent)


ITEMS: dict[str, type[RenderedRows]] = {
    "plain": Plain,
    "exponent": Exponent,
}  # by the quirk's value
