"""``POST /v1/exchange/balance``: the coins on one exchange, and their portfolio."""

from collections.abc import Callable

import msgspec

from mockserver.model.amounts import Amount, number
from mockserver.model.provider import Answer
from mockserver.model.reject import Reject
from mockserver.model.rows import ByVenue, RenderedRows
from mockserver.model.world import View
from mockserver.providers.coinstats import portfolios
from mockserver.providers.coinstats.query import BalanceQuery
from mockserver.providers.coinstats.usage import BALANCE_COST, charge
from mockserver.providers.coinstats.world import Balance, Investor


def get_balance(view: View, query: BalanceQuery) -> Answer:
    """Lists the coins of a connection; the first call creates its portfolio. Raises Reject."""
    holdings = view.accounts[view.credential.account]
    connection = _connection(holdings.account, query)
    rendered = holdings.derive(ROWS[view.quirks["numbers"]])
    row_keys = holdings.derive(ByVenue).of(connection)
    portfolio = portfolios.find_or_create(view, connection, query)
    # fact: coinstats-answer-members, coinstats-balances-live, coinstats-not-paged
    # fact: coinstats-balances-while-syncing, coinstats-zero-amount, coinstats-balance-is-no-poll
    body = {
        "balances": [rendered[holdings.rows[row_key]] for row_key in row_keys],
        "portfolio": portfolios.body(view, portfolio),
    }
    # fact: coinstats-portfolio-made, coinstats-cost-fixed
    return Answer(body, (charge(view, BALANCE_COST), portfolios.put(view, portfolio)))


def _connection(investor: Investor, query: BalanceQuery) -> str:
    """Returns the name of the connection with these credentials; raises Reject."""
    for name, connection in investor.connections.items():
        if investor.exchange(name) == query.exchange:
            if connection.fields.items() <= query.fields.items():
                return name
    known = [(investor.exchange(name), c.fields) for name, c in investor.connections.items()]
    raise Reject("bad_exchange_credentials", connections=known)


# fact: coinstats-balance-members
def _row_body(row: Balance, write: Callable[[Amount], msgspec.Raw]) -> msgspec.Raw:
    body = {
        "coinId": row.asset,  # fact: coinstats-coin-ids, coinstats-fiat-ids
        "amount": write(row.total),  # fact: coinstats-one-amount, coinstats-amount-is-total
        "price": write(row.price),
        "priceBtc": write(row.price_btc),
    }
    return msgspec.Raw(msgspec.json.encode(body))


def _with_exponent(amount: Amount) -> msgspec.Raw:
    """Writes every digit and a power of ten, as JavaScript does with small numbers."""
    return msgspec.Raw(format(amount, "E").encode())  # fact: coinstats-numbers-exponent


class PlainRows(RenderedRows):
    """The bodies of an account's rows, with plain digits."""

    @staticmethod
    def write(row: Balance) -> msgspec.Raw:
        """Returns the body of a row."""
        # fact: coinstats-numbers, coinstats-numbers-exact, coinstats-numbers-plain
        # fact: coinstats-numbers-beyond-double
        return _row_body(row, number)


class ExponentRows(RenderedRows):
    """The bodies of an account's rows, with exponents."""

    @staticmethod
    def write(row: Balance) -> msgspec.Raw:
        """Returns the body of a row."""
        return _row_body(row, _with_exponent)


# By the quirk ``numbers``.
ROWS: dict[str, type[RenderedRows]] = {"plain": PlainRows, "exponent": ExponentRows}
