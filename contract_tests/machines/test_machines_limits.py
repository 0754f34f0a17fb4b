"""Rate limits of every kind against the list of the calls that each limit counts.

A limit counts what reaches its check and what it does not refuse itself; with the quirk `counts:
successful` only what is answered with success. A limit that is changed counts anew, and one that
is set to what it was goes on: no provider says anything of that.
"""

from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test
from msgspec.structs import replace

from contract_tests.machines.bench import (
    HOST,
    PLAN,
    SECOND,
    WAITS,
    Answer,
    Bench,
    Timed,
    mine,
    posted,
)
from contract_tests.machines.windows import Opinion, Window
from mockserver.files import worlds
from mockserver.model.http import UnsignedRequest

ADDRESSES = ("127.0.0.1", "198.51.100.9")

LIMITS = ("0/60s", "1/1s", "1/60s", "2/2s", "2/60s", "3/1s", "3/2s", "5/60s")

NO_ACCOUNT = "account_00000000-0000-4000-8000-00000000000f"
NOBODYS = {"currency": "DOGE", "network": "ETH", "to_address": "0xrecipient0", "amount": "1"}

# Two keys of one user, and a key of another.
USERS = worlds.from_data(
    {
        "coinw": {
            "keys": {
                "main": {"api_key": "a", "secret_key": "s", "account": "one", "user": "one"},
                "second": {"api_key": "b", "secret_key": "s", "account": "one", "user": "one"},
                "other": {"api_key": "c", "secret_key": "s", "account": "two"},
            },
            "accounts": {"one": {"balances": [{"asset": "BTC", "total": "1"}]}, "two": {}},
        }
    },
    "users",
)


class Caller(NamedTuple):
    """Who calls: a credential's label, and from where."""

    label: str
    address: str


class Wrong(NamedTuple):
    """A call that is refused anyhow, and which limits are looked at before that."""

    status: int
    behind: tuple[str, ...]
    method: str
    target: str
    body: bytes = b""
    label: str = ""
    spoilt: bool = False  # its signature, or its key


def spoilt(draft: UnsignedRequest) -> UnsignedRequest:
    """Changes the last byte of a signature or a key."""
    if not draft.headers:
        return replace(draft, query=changed(draft.query))
    *headers, (name, value) = draft.headers
    return replace(draft, headers=(*headers, (name, changed(value))))


def changed(text: bytes) -> bytes:
    return text[:-1] + (b"1" if text.endswith(b"0") else b"0")


class Limits(Timed):
    """The machine; what one provider has of each is said below."""

    provider: str
    rolling: bool
    initial: dict[str, str]  # the limits to begin with
    labels: tuple[str, ...]
    # Each call with the limits that count it, in the order of their checks.
    calls: tuple[tuple[str, str, bytes, tuple[str, ...]], ...]
    wrong: tuple[Wrong, ...]
    world: Any = "default"
    spans = (SECOND // 8, SECOND // 2, SECOND, 7 * SECOND, 61 * SECOND)

    def __init__(self) -> None:
        super().__init__()
        self.patch = Opinion.with_our_time()
        named = {f"{self.provider}.{name}": text for name, text in self.initial.items()}
        self.bench = Bench(self.world, limits=named)
        self.forget()

    def teardown(self) -> None:
        self.patch.undo()

    def forget(self) -> None:
        self.windows = {name: Window(text, self.rolling) for name, text in self.initial.items()}
        self.counts = "reached"

    @property
    def handle(self) -> Any:
        return getattr(self.bench.server, self.provider)

    def edges(self) -> list[int]:
        now = self.bench.now
        return sorted({at for window in self.windows.values() for at in window.frees(now)})

    def counted(self, limit: str, caller: Caller) -> str:
        """Returns whom a limit counts."""
        return caller.address if limit == "ip" else caller.label

    def full(self, limits: tuple[str, ...], caller: Caller) -> str:
        """Returns the first of some limits that is full for a caller."""
        now = self.bench.now
        for name in limits:
            if not self.windows[name].lets_through(self.counted(name, caller), now):
                return name
        return ""

    def take(self, limits: tuple[str, ...], full: str, caller: Caller, good: bool) -> None:
        """Counts a call in the limits that it passed, of those that were looked at."""
        if self.counts == "successful" and not good:
            return
        for name in limits[: limits.index(full)] if full else limits:
            self.windows[name].take(self.counted(name, caller), self.bench.now)

    @rule(value=st.sampled_from(["reached", "successful"]))
    def what_counts_is_set(self, value: str) -> None:
        self.bench.server.set_quirks({f"{self.provider}.counts": value})
        self.counts = value

    @rule(
        call=mine(lambda machine: machine.calls),
        label=mine(lambda machine: machine.labels),
        address=st.sampled_from(ADDRESSES),
        times=st.integers(1, 3),
        wait=WAITS,
    )
    def it_is_called(self, call: Any, label: str, address: str, times: int, wait: int) -> None:
        self.bench.pass_time(wait)
        method, target, body, limits = call
        caller = Caller(label, address)
        for _ in range(times):
            full = self.full(limits, caller)
            answer = self.bench.ask(
                self.handle, method, self.bench.once(target), body, label, address
            )
            assert self.refusal(answer) == (full != "")
            if full:
                self.check_refusal(full, answer)
            self.take(limits, full, caller, good=not full)

    @rule(
        wrong=mine(lambda machine: machine.wrong),
        label=mine(lambda machine: machine.labels),
        address=st.sampled_from(ADDRESSES),
        wait=WAITS,
    )
    def it_is_called_wrongly(self, wrong: Wrong, label: str, address: str, wait: int) -> None:
        self.bench.pass_time(wait)
        caller = Caller(wrong.label or label, address)
        full = self.full(wrong.behind, caller)
        auth = self.handle.auth_as(caller.label)
        draft = auth.sign(wrong.method, self.bench.once(wrong.target), wrong.body, HOST)
        answer = self.bench.send(self.handle, spoilt(draft) if wrong.spoilt else draft, address)
        assert self.refusal(answer) == (full != "")
        if not full:
            assert self.status(answer) == wrong.status
        self.take(wrong.behind, full, caller, good=False)

    @rule(
        name=mine(lambda machine: sorted(machine.initial)),
        written=st.sampled_from(["off", "as it is", *LIMITS]),
    )
    def a_limit_is_set(self, name: str, written: str) -> None:
        if written == "as it is":
            written = self.windows[name].written
        self.bench.server.set_limits({f"{self.provider}.{name}": written})
        if written != self.windows[name].written:
            self.windows[name] = Window(written, self.rolling)

    def refusal(self, answer: Answer) -> bool:
        """Tells whether an answer is the one for a full limit."""
        return answer.status == 429

    def status(self, answer: Answer) -> int:
        return answer.status

    def check_refusal(self, full: str, answer: Answer) -> None:
        """Checks what a full limit tells; most tell nothing more."""
        assert not [name for name in answer.headers if "ratelimit" in name or "retry" in name]


class FixedPerKey(Limits):
    """CoinAPI's, of which every 429 tells when to come back."""

    provider, rolling = "coinapi", False
    initial = {"reads": "2/60s"}
    labels = ("main", "empty")
    calls = (("GET", "/v1/balances", b"", ("reads",)),)
    wrong = (
        Wrong(401, (), "GET", "/v1/balances", spoilt=True),
        Wrong(404, (), "GET", "/v1/nope"),
        Wrong(490, ("reads",), "GET", "/v1/balances?exchange_id=BITMEX"),
    )

    def check_refusal(self, full: str, answer: Answer) -> None:
        assert answer.headers["retry-after"] == str(-(-self.wait(full) // SECOND))

    def wait(self, full: str) -> int:
        """Returns for how long a window is still full."""
        span = self.windows[full].span
        return span - self.bench.now % span


class FixedPerKeyAndAddress(FixedPerKey):
    """CPG's two: the one per address comes before all that is about a key."""

    provider = "cpg"
    initial = {"ip": "5/60s", "key": "2/60s"}
    calls = (
        ("GET", "/v1/balances", b"", ("ip", "key")),
        ("GET", "/v1/_ping", b"", ("ip", "key")),
    )
    wrong = (
        Wrong(401, ("ip",), "GET", "/v1/balances", spoilt=True),
        Wrong(404, (), "GET", "/v1/nope"),
        Wrong(403, ("ip", "key"), "GET", "/v1/balances", label="no_permission"),
        Wrong(403, ("ip",), "GET", "/v1/balances", label="ip_locked"),
        Wrong(404, ("ip", "key"), "GET", "/v1/withdrawals/9"),
        Wrong(422, ("ip", "key"), "POST", "/v1/withdrawals", b"{}"),
        Wrong(400, ("ip", "key"), "POST", "/v1/withdrawals", posted(NOBODYS)),
    )

    def check_refusal(self, full: str, answer: Answer) -> None:
        if full == "key":
            Limits.check_refusal(self, full, answer)
            return
        super().check_refusal(full, answer)
        count, end = self.windows["ip"].count, self.bench.now + self.wait("ip")
        told_of = [answer.headers[f"x-ratelimit-{n}"] for n in ("limit", "remaining", "reset")]
        assert told_of == [str(count), "0", str(end // SECOND)]


class RollingPerKey(Limits):
    """CDP's, over all operations."""

    provider, rolling = "cdp", True
    initial = {"reads": "3/10s"}
    labels = ("main", "stranger")
    calls = (
        ("GET", "/platform/v2/accounts", b"", ("reads",)),
        ("GET", "/platform/v2/accounts?type=prime", b"", ("reads",)),
    )
    wrong = (
        Wrong(401, (), "GET", "/platform/v2/accounts", spoilt=True),
        Wrong(404, (), "GET", "/v2/accounts"),
        Wrong(400, ("reads",), "GET", "/platform/v2/accounts?pageSize=0"),
        Wrong(404, ("reads",), "GET", f"/platform/v2/accounts/{NO_ACCOUNT}/balances"),
    )


class RollingPerKeyIfSet(Limits):
    """CoinStats', which is off unless it is set."""

    provider, rolling = "coinstats", True
    initial = {"reads": "2/2s"}
    labels = ("main", "oauth")
    calls = (
        ("GET", "/v1/exchange/support", b"", ("reads",)),
        ("GET", "/v1/usage/credits", b"", ("reads",)),
    )
    wrong = (
        Wrong(401, (), "GET", "/v1/usage/credits", spoilt=True),
        Wrong(405, (), "PUT", "/v1/usage/credits"),
        Wrong(400, ("reads",), "POST", "/v1/exchange/balance", b"{}"),
        Wrong(404, ("reads",), "GET", "/v1/exchange/status?portfolioId=0"),
    )


class RollingPerUserAndAddress(Limits):
    """CoinW's: one per operation, one over both, and one per address that comes first."""

    provider, rolling, world = "coinw", True, USERS
    initial = {
        "ip": "6/2s",
        "returnBalances": "3/1s",
        "returnCompleteBalances": "5/2s",
        "user": "5/2s",
    }
    labels = ("main", "second", "other")
    calls = tuple(
        ("POST", f"/api/v1/private?command={name}", b"", ("ip", name, "user"))
        for name in ("returnBalances", "returnCompleteBalances")
    )
    wrong = (
        Wrong(10007, ("ip",), "POST", "/api/v1/private?command=returnBalances", spoilt=True),
        Wrong(10002, ("ip",), "POST", "/api/v1/private?command=returnNothing"),
        Wrong(10003, ("ip",), "POST", "/api/v1/private?command=returnBalances&a=1&a=2"),
    )

    def counted(self, limit: str, caller: Caller) -> str:
        users = {"main": "one", "second": "one", "other": "two"}
        return caller.address if limit == "ip" else users[caller.label]

    def refusal(self, answer: Answer) -> bool:
        return answer.status == 200 and answer.body["code"] == 29001

    def status(self, answer: Answer) -> int:
        return int(answer.body["code"])


MACHINES = [
    FixedPerKey,
    FixedPerKeyAndAddress,
    RollingPerKey,
    RollingPerKeyIfSet,
    RollingPerUserAndAddress,
]


@pytest.mark.parametrize("machine", MACHINES)
def test_a_limit_lets_through_what_the_list_of_calls_leaves_room_for(machine: type[Limits]) -> None:
    # There are five machines, and little is rare in any.
    run_state_machine_as_test(machine, settings=settings(PLAN, max_examples=60))
