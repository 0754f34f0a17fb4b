"""Whatever a ledger can hold comes out of it: nothing lost, nothing added, digit for digit.

A world is drawn, put in by a world file's data or by Python, served, and read back by the client
that stands for a careful user. What must arrive is stated here from the facts: which provider keeps
a scale, which pads or strips, what is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Context, Decimal, Inexact
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import strategies as st

from contract_tests.support.patient_clients import (
    ACCOUNT,
    CLIENTS,
    CLOCK,
    Patience,
    beyond_float,
    for_all,
    new_client,
)
from mockserver import MockServer
from mockserver.client.sandbox import Sandbox
from mockserver.files import worlds

PLACES = 40
DIGITS = 80

EXACT = Context(prec=300, traps=[Inexact])

Row = dict[str, Any]
Texts = list[tuple[str, ...]]


class Drawn(NamedTuple):
    """Rows as a world writes them, and what account and section must say for them."""

    rows: list[Row]
    account: dict[str, Any] = {}
    section: dict[str, Any] = {}


# Strategies


def amounts(places: int = PLACES) -> st.SearchStrategy[str]:
    """Draws plain digits of any length, with zeros at the end as they come."""
    units = st.one_of(
        st.integers(0, 999), st.integers(0, 10**20), st.integers(10 ** (DIGITS - 1), 10**DIGITS - 1)
    )
    return st.tuples(units, st.integers(0, places)).map(
        lambda drawn: f"{Decimal(drawn[0]).scaleb(-drawn[1], EXACT):f}"
    )


def nothing(places: int) -> st.SearchStrategy[str]:
    """Draws zero at any scale."""
    return st.integers(0, places).map(lambda n: f"{Decimal(0).scaleb(-n):f}")


def figures(places: int = PLACES) -> st.SearchStrategy[Row]:
    """Draws a total and what is held of it: a part at another scale, nothing, or all.

    The total itself may be nothing.
    """
    pairs = st.one_of(
        st.tuples(amounts(places), amounts(places)),
        st.tuples(amounts(places), nothing(places)),
        st.tuples(nothing(places), nothing(places)),
        amounts(places).map(lambda amount: (amount, amount)),
    )
    ordered = pairs.map(lambda pair: sorted(pair, key=Decimal))
    return ordered.map(lambda pair: {"held": pair[0], "total": pair[1]})


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SYMBOLS = st.one_of(st.sampled_from(["BTC", "USDT", "eth", "usd"]), TEXT)


def row(
    figures: st.SearchStrategy[Row], **members: st.SearchStrategy[Any]
) -> st.SearchStrategy[Row]:
    return st.builds(lambda figures, **more: figures | more, figures, **members)


def listed(rows: st.SearchStrategy[Row]) -> st.SearchStrategy[list[Row]]:
    return st.lists(rows, max_size=12, unique_by=lambda row: (row["asset"], row.get("venue")))


def cdp_row(decimals: int) -> st.SearchStrategy[Row]:
    symbols = SYMBOLS.map(str.lower).filter(lambda s: s and s == s.lower())
    drawn = row(
        figures(decimals),
        asset=symbols,
        name=TEXT,
        type=st.sampled_from(["crypto", "fiat"]),
        decimals=st.just(decimals),
        usd=st.none() | amounts(),
    )
    return drawn.map(lambda r: r | {"usd": None} if r["asset"] == "usd" else r)


def coinapi_world(exchanges: list[str]) -> st.SearchStrategy[Drawn]:
    rows = row(
        figures(),
        asset=SYMBOLS,
        venue=st.sampled_from(exchanges),
        coinapi=TEXT,
        rate_usd=amounts(),
        traded=amounts(),
        last_updated_by=st.sampled_from(["INITIALIZATION", "BALANCE_MANAGER", "EXCHANGE"]),
    )
    down = st.lists(st.sampled_from(exchanges), max_size=1)
    return st.builds(
        lambda rows, down: Drawn(rows, {"exchanges": exchanges}, {"unreachable": down}),
        listed(rows),
        down,
    )


def cpg_row(decimals: int) -> st.SearchStrategy[Row]:
    return row(
        figures(decimals),
        asset=SYMBOLS,
        venue=st.sampled_from(["ETH", "TRX"]) | TEXT,
        decimals=st.just(decimals),
        fee=amounts(decimals),
        minimum=amounts(decimals),
    )


CONNECTIONS = {
    "binance": {
        "apiKey": "your_binance_api_key_here",
        "apiSecret": "your_binance_api_secret_here",
    },
    "coinbase": {"apiKey": "empty-key", "apiSecret": "empty-secret"},
}

SCALES = st.integers(0, PLACES)

WORLDS: dict[str, st.SearchStrategy[Drawn]] = {
    "cdp": listed(SCALES.flatmap(cdp_row)).map(Drawn),
    "coinapi": st.lists(TEXT, min_size=1, max_size=4, unique=True).flatmap(coinapi_world),
    "coinstats": listed(
        row(
            figures(),
            asset=SYMBOLS,
            venue=st.sampled_from(list(CONNECTIONS)),
            price=amounts(),
            price_btc=amounts(),
        )
    ).map(Drawn),
    "coinw": listed(row(figures(), asset=SYMBOLS)).map(Drawn),
    "cpg": listed(SCALES.flatmap(cpg_row)).map(Drawn),
}


# What must arrive, from the facts


def available(row: Row) -> str:
    return f"{EXACT.subtract(Decimal(row['total']), Decimal(row['held'])):f}"


def stripped(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def padded(text: str, decimals: int) -> str:
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction:0<{decimals}}" if decimals else whole


def worth(row: Row) -> Decimal | None:
    price = "1" if row["asset"] == "usd" else row["usd"]
    return None if price is None else EXACT.multiply(Decimal(price), Decimal(row["total"]))


def cdp_texts(drawn: Drawn) -> Texts:
    """Amounts keep their scale; the most valuable come first, those without a price last."""

    def rank(row: Row) -> tuple[bool, Decimal, str]:
        value = worth(row)
        return value is None, (value or Decimal(0)).copy_negate(), row["asset"]

    return [(r["asset"], available(r), r["total"]) for r in sorted(drawn.rows, key=rank)]


def coinapi_texts(drawn: Drawn) -> Texts:
    """Numbers keep their scale; an exchange that is down is left out."""
    up = [id for id in drawn.account["exchanges"] if id not in drawn.section["unreachable"]]
    return [
        (id, row["asset"], row["total"], available(row), row["held"])
        for id in up
        for row in drawn.rows
        if row["venue"] == id
    ]


def coinstats_texts(drawn: Drawn) -> Texts:
    """Numbers keep their scale; an amount is the whole holding, none is left out."""
    return [
        (row["asset"], row["total"], row["price"], row["price_btc"])
        for connection in CONNECTIONS
        for row in drawn.rows
        if row["venue"] == connection
    ]


def coinw_texts(drawn: Drawn) -> Texts:
    """One read keeps the scale and leaves out what is not held, the other strips zeros."""
    free = {r["asset"]: available(r) if Decimal(r["held"]) else r["total"] for r in drawn.rows}
    held = [(r["asset"], free[r["asset"]]) for r in drawn.rows if Decimal(r["total"])]
    complete = [(r["asset"], stripped(r["held"]), stripped(free[r["asset"]])) for r in drawn.rows]
    return held + complete


def cpg_texts(drawn: Drawn) -> Texts:
    """Amounts are padded to the currency's decimals."""
    return [
        (
            row["asset"],
            row["venue"],
            *(padded(t, row["decimals"]) for t in (row["total"], row["held"], available(row))),
        )
        for row in drawn.rows
    ]


EXPECTED: dict[str, Callable[[Drawn], Texts]] = {
    "cdp": cdp_texts,
    "coinapi": coinapi_texts,
    "coinstats": coinstats_texts,
    "coinw": coinw_texts,
    "cpg": cpg_texts,
}


# What does arrive

Make = Callable[..., Any]


def coinstats_read(client: Make) -> list[Any]:
    return [
        row
        for id, fields in CONNECTIONS.items()
        for row in client(connection_id=id, connection_fields=fields).balances()
    ]


def coinw_read(client: Make) -> list[Any]:
    complete = client().complete_balances()
    return [*client().balances().items(), *((coin, *held) for coin, held in complete.items())]


READS: dict[str, Callable[[Make], list[Any]]] = {
    "cdp": lambda client: client(page_size=3).balances(ACCOUNT),
    "coinapi": lambda client: client().balances(),
    "coinstats": coinstats_read,
    "coinw": coinw_read,
    "cpg": lambda client: client().balances(),
}


def read(sandbox: Sandbox, provider: str, http: httpx.Client) -> Texts:
    """Returns what the clients find, amounts in plain digits."""
    handle, patience = getattr(sandbox, provider), Patience()

    def client(**more: Any) -> Any:
        return new_client(provider, http, handle.base_url, handle.credentials, patience, **more)

    return [
        tuple(f"{part:f}" if isinstance(part, Decimal) else part for part in row)
        for row in READS[provider](client)
    ]


# Ways in

DEFAULT = worlds.data(worlds.find("default"))


def world(provider: str, drawn: Drawn, rows: list[Row]) -> dict[str, Any]:
    """Returns the data of a world in which the default world's ``main`` has these rows."""
    section = DEFAULT[provider]
    id = ACCOUNT if provider == "cdp" else "main"
    account = section["accounts"][id] | drawn.account | {"balances": rows}
    data = {"keys": {"main": section["keys"]["main"]}, "accounts": {id: account}}
    return {"name": "drawn", provider: data | drawn.section}


def in_a_world(server: MockServer, provider: str, drawn: Drawn) -> Sandbox:
    return server.sandbox(world=world(provider, drawn, drawn.rows))


def by_python(server: MockServer, provider: str, drawn: Drawn) -> Sandbox:
    sandbox = server.sandbox(world=world(provider, drawn, []))
    getattr(sandbox, provider).set_balances("main", drawn.rows)
    return sandbox


# How the rows come in, whether a socket is between, and how many worlds are tried.
WAYS: Mapping[str, tuple[Callable[..., Sandbox], bool, int]] = {
    "in a world, in process": (in_a_world, False, 12),
    "by Python, in process": (by_python, False, 12),
    "by Python, over a socket": (by_python, True, 5),
}


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(limits="off", real=CLOCK) as server:
        yield server


@pytest.mark.parametrize("provider", CLIENTS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_client_reads_every_digit_of_the_ledger(
    server: MockServer, provider: str, way: tuple[Callable[..., Sandbox], bool, int]
) -> None:
    put, socket, number = way
    transport = None if socket else server.transport
    seen: list[str] = []
    with httpx.Client(transport=transport, trust_env=False) as http:

        def check(drawn: Drawn) -> None:
            sandbox = put(server, provider, drawn)
            expected = EXPECTED[provider](drawn)
            assert read(sandbox, provider, http) == expected
            server.drop(sandbox)
            seen.extend(text for row in expected for text in row)

        for_all(WORLDS[provider], check, number)
    assert_hard(seen)


def assert_hard(seen: list[str]) -> None:
    """Holds that clients with floats, and those with 28 digits, would not have passed."""
    amounts_read = [Decimal(text) for text in seen if text.replace(".", "", 1).isdecimal()]
    assert sum(map(beyond_float, amounts_read)) > 5
    assert max(len(amount.as_tuple().digits) for amount in amounts_read) > 60
