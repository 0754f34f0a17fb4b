"""The run: damaged bytes and odd requests in turn, and what must hold all the time."""

import random
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from contract_tests.fuzz.balances import PROVIDERS, Balances
from contract_tests.fuzz.calls import Calls
from contract_tests.fuzz.damage import cut, damaged
from contract_tests.fuzz.requests import Requests, Sent
from contract_tests.fuzz.served import Pipeline, Server, Wrong, heard

CONNECTIONS = 6
BATCH = 16  # requests on each connection before their responses are read
DAMAGED = 24  # connections with damaged requests in a step
RENEW = 150  # steps before the sandboxes are made anew
LIFETIME = 40  # steps before a keep-alive connection is made anew
CHECK = 15  # steps before balances and log are compared
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LOST = b"GET /cpg/lost HTTP/1.1\r\nHost: x\r\n\r\n"

MIB = 1 << 20
SAMPLES = 20  # of memory, in a whole run
SETTLED = 0.3  # part of a run behind which memory must be flat, but for what health accounts for
GROWTH = 32 * MIB  # of the rest of memory: caches that were emptied leave holes behind


class Memory(NamedTuple):
    """A sample of the server's memory, in bytes."""

    requests: int  # sent so far
    resident: int
    accounted: int  # journals and caches at their largest so far, as health counts them

    @property
    def rest(self) -> int:
        """Resident memory beside journals and caches."""
        return self.resident - self.accounted


class Place:
    """A sandbox, the requests to its providers and what its balances must be.

    ``calm`` is without limits, rules and moved clocks: unchanged requests succeed there.
    """

    def __init__(self, server: Server, *, calm: bool) -> None:
        self.calm = calm
        self.sandbox = server.remote.sandbox(**({"limits": "off"} if calm else {}))
        self.requests = [
            Requests(getattr(self.sandbox, name), server.gateway, withdrawals=calm)
            for name in PROVIDERS
        ]
        self.calls = Calls(self.sandbox.id, urlsplit(server.gateway).netloc)
        self.balances = Balances(self.sandbox)

    def draw(self, chance: random.Random) -> Sent:
        """Draws a request or a call."""
        kind = chance.random()
        if kind < 0.03:
            return self.calls.read(chance)
        if kind < 0.04 and not self.calm:
            return self.calls.write(chance)
        requests = chance.choice(self.requests)
        if kind < 0.5 and self.calm:
            return requests.good(chance)
        return requests.odd(chance)


class Run:
    """A run against a server; ``requests`` are drawn from ``seed``, the same in every run."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.seed = seed
        self.statuses: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.memory: list[Memory] = []
        self.files: list[int] = []
        self._pipelines: list[Pipeline] = []
        self._places: list[Place] = []
        self._began = time.monotonic()
        self._samples = 0

    @property
    def requests(self) -> int:
        """Requests that were sent."""
        return self.counts["odd"] + self.counts["good"] + self.counts["damaged"]

    @property
    def seconds(self) -> float:
        """The time since the run began."""
        return time.monotonic() - self._began

    def run(self, requests: int, seconds: float, report: Callable[[str], None]) -> None:
        """Runs until so many requests are sent or so much time has passed; raises Wrong."""
        try:
            self._steps(requests, seconds, report)
            self._check_rest()
        finally:
            self._hang_up()
        self._renew()
        self.server.check()
        self._check_memory()

    def _steps(self, requests: int, seconds: float, report: Callable[[str], None]) -> None:
        step = 0
        while self.requests < requests and self.seconds < seconds:
            try:
                self._step(step)
            except Exception as error:
                raise Wrong(f"seed {self.seed}, step {step}: {error}") from error
            part = max(self.requests / requests, self.seconds / seconds)
            if part * SAMPLES >= len(self.memory):
                self.memory.append(self._memory())
                self.files.append(self.server.files)
                report(self.line())
            step += 1

    def _memory(self) -> Memory:
        peak = max((row.accounted for row in self.memory), default=0)
        accounted = max(peak, self.server.accounted)
        return Memory(self.requests, self.server.memory, accounted)

    def _step(self, step: int) -> None:
        chance = random.Random(f"{self.seed} {step}")
        if step % RENEW == 0:
            self._renew()
        if step % LIFETIME == 0:
            self._dial()
        if step % 2:
            self._damage(chance)
        else:
            self._ask(chance)
        place = chance.choice(self._places)
        for _ in range(chance.randrange(3)):
            place.balances.move(chance)
            self.counts["moves"] += 1
        place.balances.settle(chance)
        if step % CHECK == 0:
            self._check()

    def _renew(self) -> None:
        """Checks and drops the sandboxes, and makes others."""
        for place in self._places:
            place.balances.check()
            self.server.remote.drop(place.sandbox)
        self._places = [Place(self.server, calm=True), Place(self.server, calm=False)]
        self.counts["sandboxes"] += len(self._places)

    def _check_rest(self) -> None:
        """Raises Wrong when something came that nothing asked for."""
        for pipeline in self._pipelines:
            if pipeline.received:
                raise Wrong(f"more came than was requested: {pipeline.received[:200]!r}")

    def _hang_up(self) -> None:
        while self._pipelines:
            self._pipelines.pop().close()

    def _dial(self) -> None:
        self._check_rest()
        self._hang_up()
        self._pipelines = [Pipeline(self.server.gateway) for _ in range(CONNECTIONS)]

    def _check(self) -> None:
        for place in self._places:
            place.balances.check()
        self.counts["balance checks"] += len(self._places)
        self.server.check()

    def _ask(self, chance: random.Random) -> None:
        """Sends well-formed requests, and reads one response for each, in order."""
        rows: list[tuple[Pipeline, list[tuple[Place, Sent]]]] = []
        for pipeline in self._pipelines:
            drawn = [(place, place.draw(chance)) for place in chance.choices(self._places, k=BATCH)]
            pipeline.send(b"".join(sent.data for _, sent in drawn))
            rows.append((pipeline, drawn))
        for pipeline, drawn in rows:
            for place, sent in drawn:
                try:
                    response = pipeline.receive(bodiless=sent.head)
                except Wrong as error:
                    raise Wrong(f"{error}\n{sent.data!r}") from None
                self.counts["good" if sent.good else "odd"] += 1
                self.statuses[f"{response.status // 100}xx"] += 1
                if response.status >= 500 or (sent.good and response.status != 200):
                    raise Wrong(f"{response.status} {response.body!r}\n{sent.data!r}")
                if place.calm:
                    place.balances.see(response)
        for place in self._places:
            for requests in place.requests:
                requests.last_id = place.balances.last_id

    def _damage(self, chance: random.Random) -> None:
        """Sends damaged requests, each few over a connection of their own."""
        place = self._places[1]
        for _ in range(DAMAGED):
            rows = [place.requests[chance.randrange(len(PROVIDERS))].odd(chance).data, HEALTH, LOST]
            chosen = chance.choices(rows, weights=[3, 1, 1], k=chance.randrange(1, 6))
            data = damaged(b"".join(chosen), chance)
            received = heard(self.server.gateway, cut(data, chance))
            statuses = [int(status) for status in STATUS.findall(received)]
            self.counts["damaged"] += len(chosen)
            self.statuses.update(f"{status // 100}xx" for status in statuses)
            if any(status >= 500 for status in statuses):
                raise Wrong(f"{received!r}\n{data!r}")
        if STATUS.findall(heard(self.server.gateway, [HEALTH])) != [b"200"]:
            raise Wrong("the server does not answer behind damaged requests")

    def _check_memory(self) -> None:
        """Raises Wrong when memory or open files grew behind the first part of the run.

        Journals and caches are bounded and accounted for; the rest of memory must be flat.
        """
        settled = [row.rest for row in self.memory if row.requests >= SETTLED * self.requests]
        if settled and max(settled) > settled[0] + GROWTH:
            first, most = settled[0] // MIB, max(settled) // MIB
            raise Wrong(f"memory beside journals and caches grew from {first} to {most} MiB")
        if self.files and self.files[-1] > self.files[0] + 2 * CONNECTIONS:
            raise Wrong(f"open files grew from {self.files[0]} to {self.files[-1]}")

    def line(self) -> str:
        """Returns where the run is, in one line."""
        last = self.memory[-1]
        memory = f"{last.resident / MIB:.1f} MiB, {last.rest / MIB:.1f} beside journals and caches"
        rate = self.requests / max(self.seconds, 0.001)
        return f"{self.requests:>9,} requests, {rate:,.0f}/s, {memory}, {self.files[-1]} files"

    def summary(self) -> list[str]:
        """Returns what was done and seen."""
        statuses = ", ".join(f"{name} {count:,}" for name, count in sorted(self.statuses.items()))
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(self.counts.items()))
        sizes = [f"{row.resident / MIB:.1f}" for row in self.memory]
        rest = [f"{row.rest / MIB:.1f}" for row in self.memory]
        figures: list[Any] = [f"{self.seconds:.0f} s", f"{self.requests / self.seconds:,.0f}/s"]
        return [
            f"seed {self.seed}: {self.requests:,} requests, {', '.join(figures)}",
            f"sent: {counts}",
            f"responses: {statuses}",
            f"memory in MiB: {' '.join(sizes)}",
            f"beside journals and caches: {' '.join(rest)}",
            f"open files: {' '.join(map(str, self.files))}",
        ]
