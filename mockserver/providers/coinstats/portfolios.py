"""Portfolios: created by the first balance call of a key for a connection, then synced.

A portfolio is ``syncing`` until that status has answered ``sync_polls`` polls, or until
``sync_after`` has passed on the sandbox clock since its creation or its last sync request.
It stores the exchange of its connection and none of the credentials.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from mockserver.model.http import Request
from mockserver.model.provider import Answer
from mockserver.model.query import first
from mockserver.model.reject import Reject
from mockserver.model.signing import seeded
from mockserver.model.world import Change, Event, PutRecord, View
from mockserver.providers.coinstats.query import BalanceQuery, invalid_parameter
from mockserver.providers.coinstats.usage import STATUS_COST, SYNC_COST, charge

KIND = "portfolio"

SYNCING, SYNCED = "syncing", "synced"  # fact: coinstats-portfolio-states


class Portfolio(Struct, frozen=True, kw_only=True):
    """One portfolio.

    ``since`` is when syncing started, in nanoseconds since the epoch on the sandbox clock;
    ``polls`` counts the polls since then.
    """

    id: str
    exchange: str
    name: str | None
    since: int
    polls: int = 0
    synced: bool = False


RECORDS = {KIND: dict[tuple[str, str], Portfolio]}


def find_or_create(view: View, connection: str, query: BalanceQuery) -> Portfolio:
    """Returns the caller's portfolio of a connection, a new one the first time."""
    key = view.credential
    # fact: coinstats-portfolio-id-fixed
    fixed_id: str = view.accounts[key.account].account.connections[connection].portfolio
    # fact: coinstats-portfolio-id, coinstats-portfolio-id-form, coinstats-portfolio-id-stable
    id = fixed_id or seeded(view.seed, "coinstats", KIND, key.label, connection).hex()
    known: Portfolio | None = view.records.get(KIND, {}).get((key.label, id))
    if known is None:
        # fact: coinstats-portfolio-connection, coinstats-portfolio-name-given
        return Portfolio(id=id, exchange=query.exchange, name=query.name, since=view.now)
    # fact: coinstats-portfolio-name
    return known if query.name is None else replace(known, name=query.name)


def body(view: View, portfolio: Portfolio) -> dict[str, str]:
    """Renders a portfolio; ``name`` only where it has one."""
    members = {
        "id": portfolio.id,
        "status": _status(view, portfolio),
        "connectionId": portfolio.exchange,
    }
    # fact: coinstats-portfolio-members
    return members if portfolio.name is None else members | {"name": portfolio.name}


def put(view: View, portfolio: Portfolio) -> PutRecord:
    """Returns the change that stores a portfolio for the caller."""
    return PutRecord(KIND, (view.credential.label, portfolio.id), portfolio)


def _status(view: View, portfolio: Portfolio) -> str:
    polls, after = view.quirks["sync_polls"], view.quirks["sync_after"]
    # fact: coinstats-synced-by-polls, coinstats-synced-by-polls-alone
    if portfolio.synced or portfolio.polls >= polls:
        return SYNCED
    # fact: coinstats-synced-by-time
    return SYNCED if after != "never" and view.now - portfolio.since >= after else SYNCING


def upcoming(view: View) -> Iterator[tuple[int, str]]:
    """Yields when the portfolios that are syncing are synced by time."""
    after = view.quirks["sync_after"]
    for (label, id), portfolio in view.records.get(KIND, {}).items():
        if after != "never" and _status(view, portfolio) == SYNCING:
            yield portfolio.since + after, f"portfolio {id} of {label} is synced"


def parse_id(request: Request, path: Mapping[str, str]) -> str:
    """Returns the portfolio's id from the query; raises Reject where it is missing or empty."""
    id = first(request.query, "portfolioId")  # fact: coinstats-portfolio-id-missing
    if not id:
        raise invalid_parameter("portfolioId")
    return id


def show_status(view: View, id: str) -> Answer:
    """Returns the status of one of the caller's portfolios, and counts the poll."""
    portfolio = _caller_portfolio(view, id)
    status = _status(view, portfolio)
    polled = replace(portfolio, polls=portfolio.polls + 1)
    # fact: coinstats-status, coinstats-not-synced-by-fault
    return Answer({"status": status}, (charge(view, STATUS_COST), put(view, polled)))


def sync(view: View, id: str) -> Answer:
    """Starts a new sync of one of the caller's portfolios."""
    # fact: coinstats-sync-anew
    restarted = replace(_caller_portfolio(view, id), since=view.now, polls=0, synced=False)
    # fact: coinstats-sync
    return Answer({"success": True}, (charge(view, SYNC_COST), put(view, restarted)))


def _caller_portfolio(view: View, id: str) -> Portfolio:
    portfolio: Portfolio | None = view.records.get(KIND, {}).get((view.credential.label, id))
    if portfolio is None:
        raise Reject("not_found")  # fact: coinstats-portfolio-id-unknown
    return portfolio


# fact: coinstats-synced-by-event
class PortfolioSynced(Event, frozen=True, tag="portfolio_synced"):
    """CoinStats has read everything from the exchange: the portfolio is synced for every key."""

    id: str

    def changes(self, view: View) -> tuple[Change, ...]:
        """Returns the changes to ``synced``; raises ValueError where there is none to make."""
        records = view.records.get(KIND, {}).items()
        matching = [(key, portfolio) for key, portfolio in records if portfolio.id == self.id]
        if not matching:
            raise ValueError(f"no portfolio {self.id}: a balance call makes one")
        if all(_status(view, portfolio) == SYNCED for _, portfolio in matching):
            raise ValueError(f"portfolio {self.id} is synced already")
        return tuple(PutRecord(KIND, key, replace(p, synced=True)) for key, p in matching)
