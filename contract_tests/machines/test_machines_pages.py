"""CDP's pages against the list as it would be without pages, while that list changes.

What comes next is what ranks behind the last item shown. So nothing comes twice in a walk, and
what was there from its begin to its end, unchanged, comes once.
"""

import string
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, rule, run_state_machine_as_test

from contract_tests.machines.bench import PLAN, SECOND, Answer, Bench, Timed
from mockserver.files import worlds

MAIN, MANY = (f"account_00000000-0000-4000-8000-{n:012}" for n in (1, 2))
SYMBOLS = ("aa", "ab", "b", "c", "d", "e", "usd", "z")
TOTALS = ("0", "1", "1.0", "2", "2.50", "4")
PRICES = (None, "0", "0.25", "0.5", "1", "2")
SIGNS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"  # of a token
SIZES = (1, 2, 3, 5)

ACCOUNTS = st.sampled_from([MAIN, MANY])
EACH = st.sampled_from(SYMBOLS)
CHANGES = st.one_of(
    st.tuples(st.just("put"), EACH, st.sampled_from(TOTALS), st.sampled_from(PRICES)),
    st.tuples(st.just("drop"), EACH),
    st.tuples(st.just("replace"), st.sets(EACH)),
)
TTL = 15 * 60 * SECOND

KEYS = {
    "main": ("1", "one", "ERERERERERERERERERERERERERERERERERERERERERHQSrIydCu0qzoTaL1GFeTm0CJKtxoBa6+FIKMyyXeHNw=="),
    "stranger": ("2", "two", "MzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMXy3n7K0Eg8rHsZeQZjW4Iso6BP+sB5KQAg5uF4YCAzg=="),
}  # fmt: skip
HOLDINGS = [{"asset": s, "total": str(n), "usd": "1"} for n, s in enumerate(SYMBOLS[:6])]
WORLD = worlds.from_data(
    {
        "cdp": {
            "keys": {
                label: {"key_id": id, "owner": owner, "key_secret": secret}
                for label, (id, owner, secret) in KEYS.items()
            },
            "accounts": {id: {"owner": "one", "balances": HOLDINGS} for id in (MAIN, MANY)},
        }
    },
    "pages",
)

REFUSED = (400, "invalid_request")


class Row(NamedTuple):
    """What decides where a balance stands, and when that changed."""

    total: str
    price: str | None
    changed: int

    def rank(self, symbol: str) -> tuple[bool, Decimal, str]:
        price = self.price if symbol != "usd" else "1"
        return price is None, -Decimal(price or "0") * Decimal(self.total), symbol


class Token(NamedTuple):
    """A page token: from which walk, what came so far, and where that ended."""

    text: str
    account: str
    size: int
    issued: int
    began: int  # in changes
    symbols: tuple[str, ...]
    last: tuple[bool, Decimal, str]


class Pages(Timed):
    tokens: Any = Bundle("tokens")
    spans = (SECOND, 60 * SECOND, 5 * 60 * SECOND)

    @initialize(binds=st.booleans())
    def a_sandbox_is_made(self, binds: bool) -> None:
        self.binds = binds
        quirks = {"cdp.page_token_binds_size": "true"} if binds else {}
        self.bench = Bench(WORLD, limits="off", quirks=quirks)
        self.other = self.bench.server.sandbox("other")
        self.changes = 0
        self.forget()

    def forget(self) -> None:
        """Lets every row be as it was; a token outlives a reset, as all in it stays true."""
        self.changes += 1
        rows = {h["asset"]: Row(h["total"], h["usd"], self.changes) for h in HOLDINGS}
        self.rows = {MAIN: dict(rows), MANY: dict(rows)}

    def listed(self, account: str) -> list[str]:
        """Returns the unpaged list."""
        rows = self.rows[account]
        return sorted(rows, key=lambda symbol: rows[symbol].rank(symbol))

    def get(self, path: str, query: Mapping[str, Any], handle: Any = None, **who: str) -> Answer:
        written = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
        handle = handle or self.bench.server.cdp
        return self.bench.ask(handle, "GET", f"/platform/v2/{path}?{written}", **who)

    def page(self, account: str, size: int, token: str = "", **how: Any) -> Answer:
        query = {"pageSize": size} | ({"pageToken": token} if token else {})
        return self.get(f"accounts/{account}/balances", query, **how)

    # Walks

    @rule(target=tokens, account=ACCOUNTS, size=st.sampled_from(SIZES))
    def a_walk_begins(self, account: str, size: int) -> Any:
        answer = self.page(account, size)
        assert answer.status == 200
        return self.goes_on(answer, Token("", account, size, 0, self.changes, (), ()))

    @rule(
        target=tokens,
        token=tokens,
        size=st.sampled_from([None, None, None, *SIZES]),
        wait=st.sampled_from([0, 0, 0, TTL - 1, TTL, TTL + 1]),
    )
    def a_walk_goes_on(self, token: Token, size: int | None, wait: int) -> Any:
        """Asks for the page behind a token, be it for the first time or not, now or at an age."""
        self.bench.pass_time(max(0, token.issued + wait - self.bench.now) if wait else 0)
        size = size or token.size
        answer = self.page(token.account, size, token.text)
        if self.bench.now - token.issued > TTL or (self.binds and size != token.size):
            assert (answer.status, answer.body.get("errorType")) == REFUSED
            return multiple()
        return self.goes_on(answer, token._replace(size=size))

    @rule(account=ACCOUNTS, size=st.sampled_from(SIZES), between=st.lists(CHANGES, max_size=6))
    def a_walk_is_taken_to_its_end(self, account: str, size: int, between: list[Any]) -> None:
        """Lets something change after each page, until nothing more is to change."""
        walk = Token("", account, size, 0, self.changes, (), ())
        while isinstance(walk, Token):
            walk = self.goes_on(self.page(account, size, walk.text), walk)
            if between:
                self.something_changes(account, between.pop())

    def goes_on(self, answer: Answer, token: Token) -> Any:
        """Checks a page, and returns the token for what lies behind."""
        rows, behind = self.rows[token.account], self.listed(token.account)
        if token.last:
            behind = [symbol for symbol in behind if rows[symbol].rank(symbol) > token.last]
        symbols = [balance["asset"]["symbol"] for balance in answer.body["balances"]]
        assert symbols == behind[: token.size]
        token = token._replace(symbols=(*token.symbols, *symbols))
        complete = len(behind) <= token.size
        self.is_disjoint(token, complete)
        if complete:
            assert "nextPageToken" not in answer.body
            return multiple()
        return token._replace(
            text=answer.body["nextPageToken"],
            issued=self.bench.now,
            last=rows[symbols[-1]].rank(symbols[-1]),
        )

    def is_disjoint(self, walk: Token, complete: bool) -> None:
        """Checks what did not change since the begin: it came once, in order, at the end all."""
        rows = self.rows[walk.account]
        same = [s for s in self.listed(walk.account) if rows[s].changed <= walk.began]
        came = [symbol for symbol in walk.symbols if symbol in same]
        assert came == (same if complete else same[: len(came)])

    # Tokens in the wrong place

    @rule(token=tokens)
    def a_token_is_good_in_its_own_place_alone(self, token: Token) -> None:
        account, size = token.account, token.size
        another, other = MANY if account == MAIN else MAIN, self.other.cdp
        self.is_refused(self.page(another, size, token.text))
        self.is_refused(self.page(another, size, token.text, label="stranger"))
        self.is_refused(self.get("accounts", {"pageToken": token.text, "pageSize": size}))
        self.is_refused(self.page(account, size, token.text, handle=other))
        for foreign in (
            self.get("accounts", {"pageSize": 1}).body["nextPageToken"],
            self.page(account, 1, handle=other).body["nextPageToken"],
        ):
            self.is_refused(self.page(account, 1, foreign))

    @rule(token=tokens)
    def a_token_does_not_open_an_account_to_a_stranger(self, token: Token) -> None:
        answer = self.page(token.account, token.size, token.text, label="stranger")
        aged = self.bench.now - token.issued > TTL
        expected = REFUSED if aged else (404, "not_found")
        assert (answer.status, answer.body.get("errorType")) == expected

    @rule(token=tokens, at=st.integers(0, 200), sign=st.sampled_from("Aa0_-="))
    def a_token_that_was_touched_is_refused(self, token: Token, at: int, sign: str) -> None:
        """Puts another sign in, a padding behind, and what the last sign does not need."""
        text, at = token.text, at % len(token.text)
        bare = text.rstrip("=")
        last = SIGNS.index(bare[-1])
        padded = {bare[:-1] + SIGNS[last ^ bits] + text[len(bare) :] for bits in (1, 2, 3)}
        for touched in padded | {text[:at] + sign + text[at + 1 :], text + "=", bare + "=="}:
            if touched != text:
                self.is_refused(self.page(token.account, token.size, touched))

    def is_refused(self, answer: Answer) -> None:
        assert (answer.status, answer.body.get("errorType")) == REFUSED

    # Changes

    @rule(account=ACCOUNTS, change=CHANGES)
    def something_changes(self, account: str, change: tuple[Any, ...]) -> None:
        how, *what = change
        self.changes += 1
        getattr(self, how)(account, *what)

    def put(self, account: str, symbol: str, total: str, price: str | None) -> None:
        price = None if symbol == "usd" else price
        self.bench.server.cdp.set_balance(account, symbol, total=total, usd=price)
        self.rows[account][symbol] = Row(total, price, self.changes)

    def drop(self, account: str, symbol: str) -> None:
        if self.rows[account].pop(symbol, None):
            self.bench.server.cdp.drop_balance(account, symbol)

    def replace(self, account: str, symbols: set[str]) -> None:
        rows = {symbol: Row("1", None, self.changes) for symbol in sorted(symbols)}
        balances = [{"asset": symbol, "total": row.total} for symbol, row in rows.items()]
        self.bench.server.cdp.set_balances(account, balances)
        self.rows[account] = rows


def test_a_walk_shows_once_what_is_there_from_begin_to_end() -> None:
    run_state_machine_as_test(Pages, settings=PLAN)
