"""CPG's replay memory against a list of the signatures that were accepted.

A signature works once. It may be forgotten when its timestamp lies so far back that it would be
refused for that; where the window is made wider again after, or the auth clock is put back, or
where it was accepted while ``replay`` was off, nothing says whether it works, and both are right.
"""

from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from contract_tests.machines.bench import PLAN, SECOND, WAITS, Bench
from contract_tests.support.signer import sign
from mockserver.model.http import UnsignedRequest

OK = (200, "OK")
BROKEN = (422, "body: JSON decode error")
FORBIDDEN = (403, "Insufficient permissions")
BAD = (401, "Invalid signature")
OUTSIDE = (401, "Request timestamp is outside the allowed window")
USED = (401, "Request signature has already been used")

# What a request asks for, and how it ends when its signature is good: it is spent in any case.
KINDS = {
    "read": ("GET", "/v1/balances", b"", OK),
    "ping": ("GET", "/v1/_ping", b"", OK),
    "broken": ("POST", "/v1/withdrawals", b"{", BROKEN),
}
# These share one secret, so one signature is good for each of them.
KEYS = {"main": "cpg_test_key", "empty": "cpg_empty", "no_permission": "cpg_no_permission"}


class Signed(NamedTuple):
    """A request as a client has signed it."""

    label: str
    kind: str
    query: str
    timestamp: int
    signature: str


# What may be done to a sandbox, mostly nothing.
STEPS = [
    *[("", None)] * 10,
    *[("reset", None), ("advance", 3600), ("replay", "off"), ("replay", "on"), ("replay", "on")],
    *[("skew", seconds) for seconds in (0, 0, -400, -1, 1, 301)],
    *[("window", seconds) for seconds in (0, 10, 100, 300, 300, 900)],
]
LABELS = st.sampled_from(["main", "main", "empty", "no_permission"])


class Replays(RuleBasedStateMachine):
    @initialize(case=st.sampled_from(["lower", "lower", "any"]))
    def a_sandbox_is_made(self, case: str) -> None:
        self.case = case
        quirks = {} if case == "lower" else {"cpg.signature_case": case}
        self.bench = Bench(limits="off", quirks=quirks)
        self.forget()

    def forget(self) -> None:
        self.skew, self.window, self.replay = 0, 300, "on"
        self.sent: list[Signed] = []
        self.spent: set[tuple[str, Signed]] = set()  # these must be refused
        self.unsure: set[tuple[str, Signed]] = set()

    def waits(self) -> list[float]:
        """Returns for how long a step may wait: none, and what a window makes of time."""
        window = self.window
        return [0, 0, 0, 0.5, 1, window / 2, window / 2, window, window, 2 * window, 2 * window + 1]

    def passes(self, seconds: float) -> None:
        self.bench.pass_time(int(seconds * SECOND))
        self.look()

    def now(self) -> int:
        """Returns the auth clock in whole seconds."""
        return (self.bench.real.now + self.skew * SECOND) // SECOND

    def look(self) -> None:
        """Lets go of what is refused for its age as things stand."""
        past = {(label, s) for label, s in self.spent if self.now() - s.timestamp > self.window}
        self.spent -= past
        self.unsure |= past

    @rule(
        kind=st.sampled_from(sorted(KINDS)),
        label=LABELS,
        drift=st.sampled_from([(0, 0), (1, 0)] * 4 + [(e, o) for e in (-1, 1) for o in (-1, 0, 1)]),
        spoilt=st.sampled_from([False, False, True]),
        wait=WAITS,
    )
    def one_is_signed_and_sent(
        self, kind: str, label: str, drift: tuple[int, int], spoilt: bool, wait: float
    ) -> None:
        """Signs at the server's time, or so far off it as is just allowed, or about that.

        Before it there may come one that does not verify: it spends nothing.
        """
        self.passes(wait)
        signed = self.signed(label, kind, self.now() + drift[0] * self.window + drift[1])
        if spoilt:
            last = "1" if signed.signature.endswith("0") else "0"
            wrong = signed._replace(signature=signed.signature[:-1] + last)
            assert self.response_to(wrong, label) == (OUTSIDE if self.aged(wrong) else BAD)
        self.send(signed, label)
        self.sent.append(signed)

    def signed(self, label: str, kind: str, timestamp: int) -> Signed:
        method, path, body, _ = KINDS[kind]
        query = self.bench.once("").removeprefix("?")
        headers = sign(method, path, query, body, timestamp=str(timestamp))
        return Signed(label, kind, query, timestamp, headers["X-CPG-Signature"])

    @rule(
        step=st.sampled_from(STEPS),
        count=st.integers(1, 6),
        label=st.sampled_from(["", "", "", "main", "empty"]),
        capitals=st.sampled_from([False, False, True]),
        wait=WAITS,
    )
    def the_last_are_sent_again(
        self, step: tuple[str, Any], count: int, label: str, capitals: bool, wait: float
    ) -> None:
        """Sends them behind a new one, each with its own key or with another of its secret."""
        self.passes(wait)
        self.steer(*step)
        self.look()
        self.send(self.signed("main", "ping", self.now()), "main")
        for signed in self.sent[-count:]:
            self.send(upper(signed) if capitals else signed, label or signed.label)

    def steer(self, name: str, value: Any) -> None:
        if name == "reset":
            self.bench.reset()
            self.forget()
        elif name == "advance":  # this clock judges no signature
            self.bench.advance(value * 1000)
        elif name == "skew":
            self.bench.server.clock.skew(f"{value}s")
            self.skew = value
        elif name == "window":
            self.bench.server.set_quirks({"cpg.timestamp_window": f"{value}s"})
            self.window = value
        elif name == "replay":
            self.bench.server.set_quirks({"cpg.replay": value})
            self.replay = value

    def send(self, signed: Signed, label: str) -> None:
        """Sends a request, and keeps in mind what it did."""
        answer, name = self.response_to(signed, label), named(signed, label)
        assert answer in self.expected(signed, label)
        if answer in {OUTSIDE, BAD, USED}:
            return
        if self.replay == "on":
            self.spent.add(name)
            self.unsure.discard(name)
            self.look()
        elif name not in self.spent:
            self.unsure.add(name)

    def expected(self, signed: Signed, label: str) -> set[tuple[int, str]]:
        """Returns the right answers, in the order of the checks."""
        good, name = KINDS[signed.kind][3], named(signed, label)
        if label == "no_permission" and signed.kind == "read":
            good = FORBIDDEN
        if self.aged(signed):
            return {OUTSIDE}
        if self.case == "lower" and signed == upper(signed):
            return {BAD}
        if self.replay == "off":
            return {good}
        if name in self.spent:
            return {USED}
        return {good, USED} if name in self.unsure else {good}

    def aged(self, signed: Signed) -> bool:
        return abs(self.now() - signed.timestamp) > self.window

    def response_to(self, signed: Signed, label: str) -> tuple[int, str]:
        """Sends a request, and returns the answer."""
        method, path, body, _ = KINDS[signed.kind]
        headers = {
            "X-CPG-Key": KEYS[label],
            "X-CPG-Timestamp": str(signed.timestamp),
            "X-CPG-Signature": signed.signature,
        }
        written = tuple((k.encode(), v.encode()) for k, v in headers.items())
        draft = UnsignedRequest(method, "", path.encode(), signed.query.encode(), written, body)
        answer = self.bench.send(self.bench.server.cpg, draft)
        return answer.status, answer.body["message"]


def named(signed: Signed, label: str) -> tuple[str, Signed]:
    """Returns what is remembered: who sent it, and the request in one spelling."""
    return label, signed._replace(label="", signature=signed.signature.lower())


def upper(signed: Signed) -> Signed:
    return signed._replace(signature=signed.signature.upper())


def test_an_accepted_signature_works_once() -> None:
    # What this must find takes many steps of which none is likely.
    run_state_machine_as_test(Replays, settings=settings(PLAN, max_examples=150))
