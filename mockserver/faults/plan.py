"""What the rules that fired do to one request: a reject, a raw answer, mutations, deliveries."""

from collections.abc import Iterable, Mapping
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from mockserver.faults.chance import Chance
from mockserver.faults.matching import Firing
from mockserver.faults.response_body import MutableResponse
from mockserver.faults.rules import Fault
from mockserver.faults.script import Script, SendStep, WaitStep, merge_waits
from mockserver.model.http import Response
from mockserver.model.provider import Authenticate, Check, Gate, Provider, RateLimit, ReplayCheck

# Positions in the pipeline where a request may be refused; the gates between count from 0.
BEFORE_GATES, AT_ROUTE = -2, -1

DELAY = "delay"  # the delivery that may wait on the sandbox clock

BEFORE_ALL = ("internal_error", "service_unavailable", "endpoint_unavailable")
BY_ROUTE = ("no_route", "bad_method", "too_large")
BY_PARAMETERS = ("bad_request", "json_error", "invalid_type")
BY_GATE = {
    "missing_credential": Authenticate,
    "unknown_credential": Authenticate,
    "revoked_credential": Authenticate,
    "bad_signature": Authenticate,
    "outside_window": Authenticate,
    "expired": Authenticate,
    "replayed": ReplayCheck,
    "rate_limited": RateLimit,
}


def reject_position(provider: Provider, reason: str) -> int:
    """Returns the position at which a provider refuses for a reason.

    Of several rate limits it is the last, the caller's own.
    """
    if reason in BEFORE_ALL:
        return BEFORE_GATES
    if reason in BY_ROUTE:
        return AT_ROUTE
    position = len(provider.gates) + (reason not in BY_PARAMETERS)
    for n, gate in enumerate(provider.gates):
        if _refuses(gate, reason):
            position = n
    return position


def _refuses(gate: Gate, reason: str) -> bool:
    match gate:
        case Check():
            return gate.reason == reason
        case Authenticate() if reason in gate.extra_reasons:
            return True
    return type(gate) is BY_GATE.get(reason)


class RawAnswer(Exception):
    """Carries a raw answer past the rest of the pipeline."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Delivery(Struct, frozen=True):
    """One delivery of one response; ``sandbox_clock`` says which clock a delay waits on."""

    fault: Fault
    chance: Chance
    sandbox_clock: bool

    def change(self, script: Script) -> Script:
        """Returns the script with this delivery applied."""
        steps: Script = self.fault.kind.apply(script, self.fault.value, self.chance)
        if not self.sandbox_clock:
            return steps
        # A delay comes first; later waits keep their own clock.
        added = steps[: len(steps) - len(script)]
        waits = [replace(s, sandbox=True) if isinstance(s, WaitStep) else s for s in added]
        return waits + script


def delivery_script(deliveries: Iterable[Delivery], head: bytes, body: bytes) -> Script:
    """Returns the steps by which a response is sent."""
    steps: Script = [SendStep(head, head=True), SendStep(body)]
    for delivery in sorted(deliveries, key=lambda d: d.fault.kind.order):
        steps = merge_waits(delivery.change(steps))
    return steps


class Plan:
    """The firings of one request; ``applied_rules`` names the rules that had an effect.

    ``gzip`` is the form of compression that a mutation asks for.
    """

    __slots__ = ("_answering", "applied_rules", "firings", "gzip", "position", "refused_by")

    def __init__(self) -> None:
        self.firings: list[Firing] = []
        self.applied_rules: list[str] = []
        self._answering: Firing | None = None
        self.gzip = ""
        self.position = 0
        self.refused_by = ""

    def add(self, firings: Iterable[Firing], provider: Provider) -> None:
        """Adds firings; the first one with an answer gives it."""
        for firing in firings:
            self.firings.append(firing)
            rule = firing.rule
            if firing.fires and self._answering is None and (rule.reject or rule.raw):
                self._answering = firing
                self.position = BEFORE_GATES if rule.raw else reject_position(provider, rule.reject)

    def reject_at(self, position: int) -> tuple[str, Mapping[str, str]]:
        """Returns the reason to refuse for at a position, or "", and facts; raises RawAnswer."""
        firing = self._answering
        if firing is None or self.position > position:
            return "", {}
        self.applied_rules.append(firing.rule.name)
        if firing.rule.raw:
            raise RawAnswer(firing.rule.raw)
        self.refused_by = firing.rule.name
        return firing.rule.reject, firing.rule.reject_facts

    def mutate(self, response: MutableResponse) -> Response:
        """Applies all mutations; kinds that watch see the response unchanged first."""
        for firing in self.firings:
            for fault in firing.rule.mutations:
                if fault.kind.watch is not None:
                    fault.kind.watch(response, firing.memory)
        mutations = [(f, fault) for f in self.firings if f.fires for fault in f.rule.mutations]
        for firing, fault in sorted(mutations, key=lambda pair: pair[1].kind.order):
            arguments = (response, fault.value, firing.chance, firing.memory)
            if response.try_change(partial(fault.kind.apply, *arguments)):
                self._record(firing)
        self.gzip = response.gzip
        return response.changed

    def delivery(self) -> tuple[Delivery, ...]:
        """Returns the deliveries of all rules that fired, and records those rules."""
        deliveries: list[Delivery] = []
        for firing in self.firings:
            if firing.fires and firing.rule.deliveries:
                deliveries += [
                    Delivery(
                        fault, firing.chance, firing.rule.sandbox_clock and fault.name == DELAY
                    )
                    for fault in firing.rule.deliveries
                ]
                self._record(firing)
        return tuple(deliveries)

    def _record(self, firing: Firing) -> None:
        if firing.rule.name not in self.applied_rules:
            self.applied_rules.append(firing.rule.name)
