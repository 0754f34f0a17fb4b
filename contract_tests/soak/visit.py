"""One visit: a sandbox is made, used in many ways, checked and deleted."""

import http.client
import random
from collections import Counter
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mockserver.client.remote import RemoteServer
from mockserver.client.sandbox import Sandbox

ROUNDS = 12  # requests and calls of a visit
TIMEOUT = 30  # seconds


class Wrong(Exception):
    """An invariant does not hold."""


class Visit:
    """A visit to a sandbox of its own; ``counts`` is shared by the visits of a thread."""

    def __init__(self, remote: RemoteServer, id: str, counts: "Counter[str]") -> None:
        self.id = id
        self.counts = counts
        self._chance = random.Random(id)
        self._remote = remote
        self._amount = f"{self._chance.randrange(1, 10**9)}.{self._chance.randrange(10**6):06d}"
        self._reads = self._paid = 0
        self.owner = ""
        self._sandbox: Sandbox | None = None

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox that is visited."""
        if self._sandbox is None:
            raise Wrong(f"{self.id} was not made")
        return self._sandbox

    def run(self) -> None:
        """Makes the sandbox, uses it, and deletes it; raises Wrong."""
        self._sandbox = self._remote.sandbox(self.id, quirks={"cpg.replay": "off"}, limits="off")
        self.owner = urlsplit(self.sandbox.cpg.direct_url).netloc.rpartition(":")[2]
        self.sandbox.cpg.set_balance("main", "USDT", "ETH", total=self._amount)
        before = self._credits()
        steps = [self._read, self._read, self._pay, self._fault, self._clock, self._snapshot]
        for _ in range(ROUNDS):
            self._chance.choice(steps)()
        spent = before - self._credits()
        self._expect(spent, self._paid, "credits spent")
        self.sandbox.verify(provider="cpg", operation="balances", exactly=self._reads)
        self._remote.drop(self.sandbox)
        self.counts["sandboxes"] += 1

    def _expect(self, found: Any, wanted: Any, what: str) -> None:
        self.counts["checks"] += 1
        if found != wanted:
            raise Wrong(f"{self.id}: {what}: {found!r}, not {wanted!r}")

    def _send(self, name: str, status: int = 200, path: str = "") -> Any:
        """Sends the main read of a provider, signed, or a GET with the same key; returns JSON."""
        handle = getattr(self.sandbox, name)
        url = urlsplit(handle.base_url)
        draft = handle.auth.example(handle.base_url)
        target = f"{url.path}{path}" if path else draft.target.decode()
        method, body = ("GET", None) if path else (draft.method, draft.body or None)
        headers = {key.decode(): value.decode() for key, value in draft.headers}
        with closing(http.client.HTTPConnection(url.netloc, timeout=TIMEOUT)) as client:
            client.request(method, target, body, headers)
            response = client.getresponse()
            content = response.read()
        self.counts["requests"] += 1
        if response.status != status:
            raise Wrong(f"{self.id}: {name}: {response.status}, not {status}: {content[:200]!r}")
        return msgspec.json.decode(content)

    def _read(self, status: int = 200) -> None:
        """Reads the balance that only this sandbox has."""
        body = self._send("cpg", status)
        self._reads += 1
        if status == 200:
            rows = {(row["currency"], row["network"]): row for row in body["data"]}
            self._expect(rows["USDT", "ETH"]["balance"], self._amount, "the balance")

    def _pay(self) -> None:
        """Makes a request that costs credits."""
        self._send("coinstats")
        self._paid += 10  # fact: coinstats-cost-of-balance

    def _credits(self) -> int:
        return int(self._send("coinstats", path="/v1/usage/credits")["remainingCredits"])

    def _fault(self) -> None:
        """Sets a rule, meets it once, and goes on."""
        self.sandbox.fail("once", provider="cpg", reject="rate_limited", times=1)
        self._read(429)
        self.sandbox.clear_faults("once")
        self._read()
        self.counts["faults"] += 1

    def _clock(self) -> None:
        before = self.sandbox.clock.now_ns
        self.sandbox.clock.advance("1h")
        self._expect(self.sandbox.clock.now_ns - before >= 3600 * 10**9, True, "the clock moved")
        self.counts["clock moves"] += 1

    def _snapshot(self) -> None:
        """Goes back to a snapshot after a change."""
        taken = self.sandbox.snapshot()
        reads, paid = self._reads, self._paid
        self.sandbox.cpg.credit("main", "USDT", "1", venue="ETH")
        self._pay()
        self.sandbox.restore(taken)
        self._reads, self._paid = reads, paid
        self._read()
        self.counts["snapshots"] += 1
