"""Random sessions: after restore, fork, import elsewhere and rewind, the same requests, same bytes.

    python -m contract_tests.machines.sessions 1000 200

A session is a list of actions, drawn from a seed and the state so far: requests to every provider,
control calls, moved clocks, faults. Somewhere in it a snapshot is taken and the sandbox is forked;
from there on the fork does the same. Then all from the snapshot on is done again: after a restore,
in another process from the document, and after a rewind.
"""

import json
import random
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple

from contract_tests.machines.bench import HOST, MILLISECOND, SECOND, START, Bench
from mockserver.client.sandbox import Sandbox
from mockserver.engine import pipeline
from mockserver.errors import ControlError
from mockserver.model.http import Request
from mockserver.providers import discover

SETTINGS = {
    "quirks": {"coinw.bans": "on", "cpg.confirm_after": "20s", "coinstats.credits": "400"},
    "limits": {"cpg.key": "9/20s", "cdp.reads": "7/10s", "coinapi.reads": "9/15s"},
    "ttl": "24h",
}
RULES: list[dict[str, Any]] = [
    {"match": {"provider": "*"}, "when": {"every": 3}, "answer": {"status": 418, "body": "tea"}},
    {"match": {"provider": "*", "operation": "balances"}, "mutate": {"stale": True}},
    {"match": {"provider": "cdp"}, "mutate": {"repeat_row": True}},
    {"match": {"provider": "*"}, "when": {"probability": 0.3}, "mutate": {"digits": 3}},
    {"match": {"provider": "coinw"}, "when": {"requests": "2-4"}, "answer": {"reject": "rate_limited"}},
    {"match": {"provider": "cpg", "credential": "main"}, "when": {"from": "5s", "for": "1m"}, "deliver": {"cut": 0.5}},
    {"match": {"provider": "*"}, "when": {"times": 2}, "deliver": {"delay": {"uniform": ["1ms", "9ms"]}}},
]  # fmt: skip
CLOCKS: list[dict[str, Any]] = [
    *({"advance": "1s"}, {"advance": "61s"}, {"advance": "7m"}, {"freeze": True}, {"freeze": False}),
    *({"rate": 60}, {"rate": 0.3}, {"rate": 1}, {"skew": "-400s"}, {"skew": "2s"}, {"skew": 0}),
]  # fmt: skip
QUIRKS: list[dict[str, Any]] = [
    {"coinw.empty": "null"}, {"cpg.replay": "off"}, {"cpg.replay": None}, {"coinw.bans": "off"},
    {"cdp.page_token_ttl": "30s"}, {"coinstats.sync_polls": 3}, {"cpg.confirm_after": "off"},
]  # fmt: skip
LIMITS: list[Any] = [
    {"cpg.key": "5/30s"},
    {"cdp.reads": None},
    "off",
    "default",
    {"coinw.ip": "6/3s"},
]
READS = ("/ledger", "/faults", "/limits", "/quirks", "/clock", "/limits/usage", "/upcoming")
SCENARIOS = ("rate-limit-storm", "clock-skew", "stale-cache", "page-token-loop", "half-lost")
ACCOUNTS = {"cdp": "main", "coinapi": "main", "coinstats": "main", "coinw": "main", "cpg": "main"}


class Action(NamedTuple):
    """A request to a provider, or a control call where ``request`` is None, at a real time."""

    real: int
    provider: str
    request: Request | None
    call: tuple[Any, ...]


class Difference(Exception):
    """The same action had another outcome."""


def outcome(bench: Bench, sandbox: str, action: Action) -> Any:
    """Carries an action out and returns all that can be seen of it."""
    bench.real.now = action.real
    if action.request is not None:
        box = bench.server.app.sandboxes.get(sandbox)
        done = pipeline.respond(box, action.provider, action.request)
        sent = [(d.fault.source, d.chance.n, d.sandbox_clock) for d in done.delivery]
        return done.response.status, done.response.headers, done.response.body, sent
    method, path, body = action.call
    try:
        answer = bench.server._call_server(method, f"/sandboxes/{sandbox}{path}", body, None)  # noqa: SLF001
    except ControlError as error:
        return str(error)
    return json.dumps(answer)


def repeated(document: Any, start: int, actions: list[Action]) -> list[Any]:
    """Returns the outcomes of actions in a new server, from the state in a document."""
    bench = _elsewhere()
    bench.real.now = start
    bench.server.sandbox("elsewhere", snapshot=document, ttl="24h")
    return [outcome(bench, "elsewhere", action) for action in actions]


_benches: list[Bench] = []


def _elsewhere() -> Bench:
    if not _benches:
        _benches.append(Bench())
    return _benches[0]


class Session:
    """One session; ``steps`` are its actions."""

    def __init__(self, bench: Bench, seed: int, steps: int) -> None:
        self.bench, self.chance, self.steps = bench, random.Random(seed), steps
        settings: Any = {**SETTINGS, "seed": seed}
        if self.chance.random() < 0.3:
            settings["scenario"] = self.chance.choice(SCENARIOS)
        bench.real.now = max(bench.real.now, START)
        self.box: Sandbox = bench.server.sandbox("one", **settings)
        self.actions: list[Action] = []
        self.outcomes: list[Any] = []
        self.tokens = [""]

    def run(self, elsewhere: Executor) -> None:
        """Does everything; raises Difference."""
        chance, bench, at = self.chance, self.bench, self.chance.randrange(self.steps)
        numbers: list[tuple[int, int]] = []  # of a request, and of its action
        fork, document, taken = "", None, 0
        for n in range(self.steps):
            if n == at:
                self.box.snapshot("here")
                taken, fork = bench.real.now, self.box.fork("two", ttl="24h").id
                document = self.box._call("GET", "/snapshots/here")  # noqa: SLF001
            action = self._drawn()
            done = outcome(bench, "one", action)
            self._see(action, done)
            if action.request is not None:
                numbers.append((len(numbers) + 1, n))
            if fork:
                self._compare("fork", n, done, outcome(bench, fork, action))
        later = self.actions[at:]
        imported = elsewhere.submit(repeated, document, taken, later)
        bench.real.now = taken
        self.box.restore("here")
        self._again("restore", at)
        for n, done in enumerate(imported.result(), at):
            self._compare("import", n, self.outcomes[n], done)
        if numbers:
            number, n = chance.choice(numbers)
            bench.real.now = self.actions[n].real
            self.box.rewind(number)
            self._again("rewind", n)
        for id in ("one", "two"):
            bench.server.drop(Sandbox(id, bench.server._call_server, bench.real))  # noqa: SLF001

    def _again(self, how: str, start: int) -> None:
        for n in range(start, self.steps):
            self._compare(how, n, self.outcomes[n], outcome(self.bench, "one", self.actions[n]))

    def _compare(self, how: str, n: int, first: Any, second: Any) -> None:
        if first != second:
            raise Difference(f"after {how}, step {n} {self.actions[n]}:\n{first}\n{second}")

    def _see(self, action: Action, done: Any) -> None:
        self.actions.append(action)
        self.outcomes.append(done)
        body = done[2] if action.request is not None else b""
        if b"nextPageToken" in body and done[0] == 200 and body[:1] == b"{":
            token = body.partition(b'"nextPageToken":"')[2].partition(b'"')[0].decode("latin-1")
            self.tokens = [*self.tokens[-3:], token]

    # Drawing

    def _drawn(self) -> Action:
        chance = self.chance
        real = self.bench.real.now + chance.choice([0, 0, MILLISECOND, SECOND, SECOND, 7 * SECOND])
        self.bench.real.now = real
        if chance.random() < 0.3:
            return Action(real, "", None, self._call())
        if chance.random() < 0.1 and self.actions:
            earlier = chance.choice(self.actions)
            if earlier.request is not None:
                return earlier._replace(real=real)
        name = chance.choice([*discover()])
        return Action(real, name, self._request(name), ())

    def _request(self, name: str) -> Request:
        chance, handle = self.chance, getattr(self.box, name)
        label = chance.choice(["main"] * 5 + [*handle.others])
        if label.endswith("REASON"):
            label = "main"
        route = chance.choice([*handle.provider.routes, None, None])
        plain = handle.example
        method, path, body = plain.method, plain.path.decode(), plain.body
        query = plain.query.decode()
        if route is not None:
            method, (path, _, query) = route.method, route.path.partition("?")
            accounts = [*(handle.credentials.get("accounts") or {"": "main"}).values()]
            path = path.replace("{accountId}", chance.choice(accounts))
            path = path.replace("{asset}", chance.choice(["btc", "usd", "none"]))
            path = path.replace("{id}", str(chance.randrange(1, 5)))
            body = b"" if method == "GET" else self._body(name, body)
        more = f"n={chance.randrange(10**6)}"
        if name == "cdp":
            token = chance.choice(self.tokens)
            more = f"pageSize={chance.choice([1, 2, 100])}" + (
                f"&pageToken={token}" if token else ""
            )
        if name == "coinstats" and "status" in path:
            more = f"portfolioId={self._portfolio()}"
        target = handle.provider.base_path + path + "?" + "&".join(filter(None, (query, more)))
        draft = handle.auth_as(label).sign(method, target, body, HOST)
        headers = [(b"host", HOST.encode()), *((k.lower(), v) for k, v in draft.headers)]
        if chance.random() < 0.05:
            del headers[chance.randrange(len(headers))]
        return Request.of(
            draft.method,
            draft.path,
            draft.query,
            headers,
            draft.body,
            base_path=handle.provider.base_path.encode(),
            raw_target_path=draft.path,
        )

    def _body(self, name: str, example: bytes) -> bytes:
        if name != "cpg":
            return example
        chance = self.chance
        order = {"currency": "USDT", "network": "ETH", "to_address": "0xrecipient0"}
        order["amount"] = chance.choice(["12", "50.5", "99999", "0.1"])
        if chance.random() < 0.4:
            order["client_reference"] = chance.choice("abc")
        return json.dumps(order).encode()

    def _portfolio(self) -> str:
        for action, done in zip(reversed(self.actions), reversed(self.outcomes), strict=True):
            if action.provider == "coinstats" and done[0] == 200 and b'"portfolio' in done[2]:
                return done[2].partition(b'"id":"')[2].partition(b'"')[0].decode("latin-1")
        return "none"

    def _call(self) -> tuple[Any, ...]:
        chance = self.chance
        kind = chance.randrange(10)
        if kind < 3:
            return "GET", chance.choice(READS), None
        if kind < 5:
            return "POST", "/clock", chance.choice(CLOCKS)
        if kind < 6:
            rule = chance.choice(RULES)
            return "POST", "/faults", {"name": f"rule-{chance.randrange(4)}"} | rule
        if kind < 7:
            return chance.choice(
                [
                    ("DELETE", "/faults", None),
                    ("PUT", "/scenario", {"name": chance.choice(SCENARIOS)}),
                    ("DELETE", "/scenario", None),
                    ("DELETE", "/requests", None),
                ]
            )
        if kind < 8:
            return chance.choice(
                [
                    ("PATCH", "/quirks", chance.choice(QUIRKS)),
                    ("PATCH", "/limits", chance.choice(LIMITS)),
                ]
            )
        return self._ledger()

    def _ledger(self) -> tuple[Any, ...]:
        chance = self.chance
        name = chance.choice([*discover()])
        path = f"/ledger/{name}/main"
        rows = getattr(self.box, name).balances()
        if not rows or chance.random() < 0.05:
            return "PUT", path, {"balances": []}
        row = chance.choice(rows)
        place = f"{path}/{row.asset}"
        if name == "cpg" and chance.random() < 0.4:
            event = chance.choice(["withdrawal_confirmed", "withdrawal_failed"])
            return "POST", "/events/cpg", {"event": event, "id": chance.randrange(1, 5)}
        if chance.random() < 0.1:
            return "DELETE", place, None
        if chance.random() < 0.1:
            return "POST", f"/events/{name}", {"event": "key_revoked", "key": "es256"}
        move = chance.choice(["credit", "debit", "hold", "release"])
        return "POST", place + "/moves", {move: chance.choice(["1", "0.5", "100"])}


def run(seeds: Iterable[int], steps: int) -> int:
    """Runs sessions; returns how many. Raises Difference, which names the seed."""
    count, bench = 0, Bench()
    with ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:
        for seed in seeds:
            try:
                Session(bench, seed, steps).run(elsewhere)
            except Difference as error:
                raise Difference(f"seed {seed}, {steps} steps: {error}") from None
            count += 1
    return count


if __name__ == "__main__":
    sessions, steps = (int(argument) for argument in sys.argv[1:3])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    began = time.monotonic()
    done = run(range(first, first + sessions), steps)
    sys.stdout.write(
        f"{done} sessions of {steps} steps, 0 differences, {time.monotonic() - began:.0f} s\n"
    )
