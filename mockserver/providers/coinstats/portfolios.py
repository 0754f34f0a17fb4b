"""Portfolios: made by the first balance call of a key for a connection, then synced.

A portfolio is ``syncing`` until ``sync_polls`` polls of its status were told so, or
``sync_after`` has passed on the sandbox clock since it was made or last synced. It keeps the
name of its connection and nothing of the credentials.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from mockserver.model.http import Request
from mockserver.model.provider import Answer
from mockserver.model.query import first
from mockserver.model.reject import Reject
from mockserver.model.signing import seeded
from mockserver.model.world import Change, Event, PutRecord, View
from mockserver.providers.coinstats.query import BalanceQuery, invalid
from mockserver.providers.coinstats.usage import STATUS, SYNC, charge

KIND = "portfolio"

SYNCING, SYNCED = "syncing", "synced"


class Portfolio(Struct, frozen=True, kw_only=True):
    """One portfolio: since when it syncs, and how many polls were told so."""

    id: str
    exchange: str
    name: str | None
    since: int
    polls: int = 0
    synced: bool = False


def opened(view: View, connection: str, query: BalanceQuery) -> Portfolio:
    """Returns the caller's portfolio of a connection, a new one the first time."""
    key = view.credential
    pinned: str = view.accounts[key.account].account.connections[connection].portfolio
    id = pinned or seeded(view.seed, "coinstats", KIND, key.label, connection).hex()
    known: Portfolio | None = view.records.get(KIND, {}).get((key.label, id))
    if known is None:
        return Portfolio(id=id, exchange=query.exchange, name=query.name, since=view.now)
    return known if query.name is None else replace(known, name=query.name)


def shown(view: View, portfolio: Portfolio) -> dict[str, str]:
    """Renders a portfolio; its name only where it was given one."""
    body = {
        "id": portfolio.id,
        "status": _status(view, portfolio),
        "connectionId": portfolio.exchange,
    }
    return body if portfolio.name is None else body | {"name": portfolio.name}


def kept(view: View, portfolio: Portfolio) -> PutRecord:
    """Returns the change that keeps a portfolio for the caller."""
    return PutRecord(KIND, (view.credential.label, portfolio.id), portfolio)


def _status(view: View, portfolio: Portfolio) -> str:
    polls, after = view.quirks["sync_polls"], view.quirks["sync_after"]
    if portfolio.synced or portfolio.polls >= polls:
        return SYNCED
    return SYNCED if after != "never" and view.now - portfolio.since >= after else SYNCING


def parse_id(request: Request, path: Mapping[str, str]) -> str:
    """Reads the portfolio's id; raises Reject when there is none."""
    id = first(request.query, "portfolioId")
    if not id:
        raise invalid("portfolioId")
    return id


def show_status(view: View, id: str) -> Answer:
    """Tells how far one of the caller's portfolios is, and counts the poll."""
    portfolio = _own(view, id)
    status = _status(view, portfolio)
    polled = replace(portfolio, polls=portfolio.polls + 1)
    return Answer({"status": status}, (charge(view, STATUS), kept(view, polled)))


def sync(view: View, id: str) -> Answer:
    """Lets one of the caller's portfolios sync anew."""
    anew = replace(_own(view, id), since=view.now, polls=0, synced=False)
    return Answer({"success": True}, (charge(view, SYNC), kept(view, anew)))


def _own(view: View, id: str) -> Portfolio:
    portfolio: Portfolio | None = view.records.get(KIND, {}).get((view.credential.label, id))
    if portfolio is None:
        raise Reject("not_found")
    return portfolio


class PortfolioSynced(Event, frozen=True, tag="portfolio_synced"):
    """The exchange has told everything: a portfolio is synced, whichever key asks."""

    id: str

    def changes(self, view: View) -> tuple[Change, ...]:
        """Marks the portfolio."""
        known = view.records.get(KIND, {}).items()
        found = [(key, portfolio) for key, portfolio in known if portfolio.id == self.id]
        if not found:
            raise ValueError(f"no portfolio {self.id}: a balance call makes one")
        if all(_status(view, portfolio) == SYNCED for _, portfolio in found):
            raise ValueError(f"portfolio {self.id} is synced already")
        return tuple(PutRecord(KIND, key, replace(p, synced=True)) for key, p in found)
