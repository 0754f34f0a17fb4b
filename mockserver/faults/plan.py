"""What the rules that fired want of one request."""

from collections.abc import Iterable
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from mockserver.faults.chance import Chance
from mockserver.faults.matching import Firing
from mockserver.faults.response_body import MutableResponse
from mockserver.faults.rules import Fault
from mockserver.faults.script import Script, SendStep, WaitStep, joined
from mockserver.model.http import Response
from mockserver.model.provider import Authenticate, Check, Gate, Provider, RateLimit, ReplayCheck

# The places in the line where a request may be refused; the gates between are numbered from 0.
FRONT, ROUTE = -2, -1

DELAY = "delay"  # the delivery that may wait on the sandbox clock

AT_ONCE = ("internal_error", "service_unavailable", "endpoint_unavailable")
OF_ROUTE = ("no_route", "bad_method", "too_large")
OF_PARAMETERS = ("bad_request", "json_error", "invalid_type")
OF_GATES = {
    "missing_credential": Authenticate,
    "unknown_credential": Authenticate,
    "revoked_credential": Authenticate,
    "bad_signature": Authenticate,
    "outside_window": Authenticate,
    "expired": Authenticate,
    "replayed": ReplayCheck,
    "rate_limited": RateLimit,
}


def stage(provider: Provider, reason: str) -> int:
    """Returns where a provider refuses for a reason: at a gate, before the first or behind all.

    Of several throttles it is the last, the caller's own.
    """
    if reason in AT_ONCE:
        return FRONT
    if reason in OF_ROUTE:
        return ROUTE
    found = len(provider.gates) + (reason not in OF_PARAMETERS)
    for n, gate in enumerate(provider.gates):
        if _refuses(gate, reason):
            found = n
    return found


def _refuses(gate: Gate, reason: str) -> bool:
    """Tells whether a gate refuses for a reason."""
    match gate:
        case Check():
            return gate.reason == reason
        case Authenticate() if reason in gate.extra_reasons:
            return True
    return type(gate) is OF_GATES.get(reason)


class RawAnswer(Exception):
    """Carries a raw answer past everything."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Delivery(Struct, frozen=True):
    """One delivery of one answer; ``sandbox`` says on whose clock a delay waits."""

    fault: Fault
    chance: Chance
    sandbox: bool

    def deliver(self, script: Script) -> Script:
        """Returns the script of an answer, delivered so."""
        steps: Script = self.fault.module.deliver(script, self.fault.given, self.chance)
        if not self.sandbox:
            return steps
        # A delay stands in front: what waits behind it keeps the clock it has.
        ahead = steps[: len(steps) - len(script)]
        return [replace(s, sandbox=True) if isinstance(s, WaitStep) else s for s in ahead] + script


def script(deliveries: Iterable[Delivery], head: bytes, body: bytes) -> Script:
    """Returns how an answer is sent."""
    steps: Script = [SendStep(head, head=True), SendStep(body)]
    for delivery in sorted(deliveries, key=lambda d: d.fault.late):
        steps = joined(delivery.deliver(steps))
    return steps


class Plan:
    """The firings of one request; ``applied_rules`` names the rules that had an effect."""

    __slots__ = ("_answering", "applied_rules", "firings", "position", "refused_by")

    def __init__(self) -> None:
        self.firings: list[Firing] = []
        self.applied_rules: list[str] = []
        self._answering: Firing | None = None
        self.position = 0
        self.refused_by = ""

    def add(self, firings: Iterable[Firing], provider: Provider) -> None:
        """Adds what was found; the first that answers will."""
        for firing in firings:
            self.firings.append(firing)
            rule = firing.rule
            if firing.fires and self._answering is None and (rule.reject or rule.raw):
                self._answering = firing
                self.position = FRONT if rule.raw else stage(provider, rule.reject)

    def stop(self, position: int) -> str:
        """Returns the reason to refuse for here, or nothing; raises Instead for a raw answer."""
        firing = self._answering
        if firing is None or self.position > position:
            return ""
        self.applied_rules.append(firing.rule.name)
        if firing.rule.raw:
            raise RawAnswer(firing.rule.raw)
        self.refused_by = firing.rule.name
        return firing.rule.reject

    def mutate(self, good: MutableResponse) -> Response:
        """Changes an answer that went well, when its watchers have seen it."""
        for firing in self.firings:
            for fault in firing.rule.mutations:
                if hasattr(fault.module, "watch"):
                    fault.module.watch(good, firing.memory)
        found = [(f, fault) for f in self.firings if f.fires for fault in f.rule.mutations]
        for firing, fault in sorted(found, key=lambda pair: pair[1].late):
            given = (good, fault.given, firing.chance, firing.memory)
            if good.change(partial(fault.module.mutate, *given)):
                self._took(firing)
        return good.changed

    def sent(self, response: Response) -> Response:
        """Adds to an answer how it is to be delivered."""
        deliveries = []
        for firing in self.firings:
            if firing.fires and firing.rule.deliveries:
                clock = firing.rule.clock_of_sandbox
                faults = firing.rule.deliveries
                deliveries += [
                    Delivery(fault, firing.chance, clock and fault.name == DELAY)
                    for fault in faults
                ]
                self._took(firing)
        return replace(response, deliveries=tuple(deliveries)) if deliveries else response

    def _took(self, firing: Firing) -> None:
        if firing.rule.name not in self.applied_rules:
            self.applied_rules.append(firing.rule.name)
