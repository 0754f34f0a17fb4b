"""The steps of one request in order, synchronous, under the sandbox's lock.

Fault rules, outer gates, route, gates in the provider's order, parameters, handler, changes,
response. Every step refuses by raising Reject, which the one ``try`` in ``answer`` catches. A rule
that fires responds itself, rejects at a gate, mutates a good response, or says how it is sent.
"""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mockserver.engine import cors
from mockserver.engine.fault_headers import FaultHeaders, forced
from mockserver.engine.history import REQUEST_SIZE
from mockserver.engine.journal import FAULT_MAX, JournalEntry
from mockserver.engine.limits import BanList, Window
from mockserver.engine.provider_state import ProviderState
from mockserver.engine.sandbox import Sandbox
from mockserver.explain import Explanation, RejectedRequest, printable, redacting
from mockserver.explain.general import RejectContext, by_key, by_rule, explain, redact
from mockserver.faults.plan import AT_ROUTE, BEFORE_GATES, DELAY, Delivery, Plan, RawAnswer
from mockserver.faults.response_body import MutableResponse
from mockserver.model import compression
from mockserver.model.http import PLAIN, Request, Response
from mockserver.model.provider import (
    Authenticate,
    BanCheck,
    Check,
    ErrorContext,
    RateLimit,
    ReplayCheck,
    Route,
)
from mockserver.model.query import parameter
from mockserver.model.reject import Reject

log = logging.getLogger("mockserver")

CACHED_MAX = 64 * 1024  # bytes of a response body that is cached

HEADER = b"x-mockserver-explanation"

encode = msgspec.json.Encoder().encode


class RequestContext(Struct, gc=False):
    """What the steps learn about a request.

    Times are nanoseconds since the epoch; ``began`` is monotonic time. ``charges`` are the limits
    that the request has passed and counts towards, each with the caller that they count;
    ``bans_to_update`` the ban lists that record a reject for rate; ``divisor`` divides the limits
    of a caller that is warned.
    """

    state: ProviderState
    request: Request
    now: int
    auth_now: int
    began: int
    found: tuple[Route, Mapping[str, str]] | None = None  # by a rule, before the outer gates
    route: Any = None
    credential: Any = None
    note: str = ""
    charges: list[tuple[Window, str]] = []
    bans_to_update: list[tuple[BanList, str]] = []
    divisor: int = 1
    plan: Plan | None = None
    delivery: tuple[Delivery, ...] = ()


class Outcome(Struct, frozen=True, gc=False):
    """A response, and its delivery unless it is sent at once and whole."""

    response: Response
    delivery: tuple[Delivery, ...] = ()


NO_SOCKET = "a delivery (cut, reset, delay, ...) needs a real socket: run a server"
UNDELIVERABLE = Response(501, PLAIN, f"{NO_SOCKET}\n".encode())


def respond(
    sandbox: Sandbox, provider: str, request: Request, *, on_socket: bool = True
) -> Outcome:
    """Responds to one request as the provider would, and records it in the journal.

    Without a socket (``on_socket`` is False), a delivery other than a delay is answered by 501;
    the changes that the request made are kept.
    """
    with sandbox.lock:
        if sandbox.history.left <= 0:
            sandbox.checkpoint()
        state = sandbox.states[provider]
        state.count += 1
        call = RequestContext(state, request, *sandbox.clock.read())
        reason, label, reject, gzip = "", "", None, state.gzip
        try:
            response = _accept(call)
            label = call.credential.label
        except RawAnswer as raw:
            response, gzip = raw.response, False
            label = call.credential.label if call.credential else ""
        except Exception as error:
            reject = error if isinstance(error, Reject) else _unexpected(error)
            response = _refuse(call, reject)
            reason = reject.reason
            label = call.credential.label if call.credential else reject.facts.get("credential", "")
        if state.cors:
            response = cors.with_allow_origin(request, response)
        played: tuple[Delivery, ...] = ()
        if call.plan is not None:
            played = call.delivery = call.plan.delivery()
            if not on_socket and any(d.fault.name != DELAY for d in played):
                response, played, call.note = UNDELIVERABLE, (), NO_SOCKET
        if state.waits or reject or call.plan is not None:
            _mark_early(sandbox, call, label, response, reject)
        explanation = _explain(sandbox, call, reject, label) if reject else None
        if explanation is not None and sandbox.settings.explain_header:
            response = _with_header(response, explanation)
        sent = response
        if gzip or (call.plan is not None and call.plan.gzip):
            # The journal has the body as it is before it is compressed, so that it can be redacted.
            sent = _compressed(call, response)
            response = replace(response, headers=sent.headers)
        _note(sandbox, call, label, response, reason, explanation)
        return Outcome(sent, played)


def _compressed(call: RequestContext, response: Response) -> Response:
    if call.plan is not None and call.plan.gzip and response is not UNDELIVERABLE:
        return compression.in_form(response, call.plan.gzip)
    return compression.negotiated(call.request, response)


def _mark_early(
    sandbox: Sandbox, call: RequestContext, label: str, response: Response, reject: Reject | None
) -> None:
    """Notes that the client should have waited, and remembers how long it has to wait now."""
    operation = call.route.id if call.route is not None else _operation_of_rule(call)
    peer = call.request.peer
    callers = [(label or peer, operation), (peer, operation)]
    n = sandbox.journal.count + 1
    if call.plan is not None and call.plan.refused_by:
        reject = None  # of a rule's refusal a client knows no more than the headers say
    note = call.state.waits.watch(callers, n, call.now, response, reject)
    call.note = "; ".join(filter(None, (note, call.note)))


def _explain(
    sandbox: Sandbox, call: RequestContext, reject: Reject, label: str
) -> Explanation | None:
    """Returns the explanation of a reject, redacted, or None when explaining it fails."""
    state, index = call.state, sandbox.journal.redactor.index
    rejected = RejectedRequest(
        call.request, reject.reason, reject.facts, state.keyring, state.quirks, call.auth_now
    )

    def explanation() -> Explanation:
        key = state.keyring.with_label(label) if label else None
        if call.plan is not None and call.plan.refused_by:
            plain = by_rule(call.plan.refused_by)
        elif key is not None and key.rejects == reject.reason:
            plain = by_key(label, reject.reason)
        else:
            with redacting(index.redact):
                plain = explain(rejected, _reject_context(sandbox, call))
        return redact(plain, index, sandbox.secrets(state, label))

    try:
        return sandbox.explanation_budget.spend(explanation)
    except Exception:  # the client gets its response all the same
        log.exception("an explanation failed")
        return None


def _reject_context(sandbox: Sandbox, call: RequestContext) -> RejectContext:
    limits = [counter.limit for counter in call.state.counters.values()]
    provider, providers = call.state.provider, sandbox.providers
    return RejectContext(provider, providers, limits, call.divisor, sandbox.owner_of)


def _with_header(response: Response, explanation: Explanation) -> Response:
    """Returns the response with the explanation as a header of one line."""
    line = printable(f"{explanation.rule}: {explanation.fix}".encode())
    return replace(
        response, headers=(*response.headers, (HEADER, line.encode("ascii", "backslashreplace")))
    )


def _accept(call: RequestContext) -> Response:
    state, request = call.state, call.request
    _check_outer(call)
    route, captured = call.found or state.router.find(request)
    call.route = route
    if request.oversize:
        raise Reject("too_large")
    if call.plan is not None:
        _reject_by_rule(call, AT_ROUTE)
    for position, gate in state.gates:
        if call.plan is not None:
            _reject_by_rule(call, position)
        if type(gate) is Check:
            gate.rule(request, route, call.credential)
        else:
            GATES[type(gate)](gate, call)
    behind = len(state.provider.gates)
    if call.plan is not None:
        _reject_by_rule(call, behind)
    params = route.parse(request, captured)
    if call.plan is not None:
        _reject_by_rule(call, behind + 1)
    response = _from_cache(call, params) if route.cacheable else _handle(call, params)
    for counter, caller in call.charges:
        counter.charge(caller, call.now)
    return response if call.plan is None else _mutated(call, call.plan, response)


def _check_outer(call: RequestContext) -> None:
    """Applies what is due, and checks what comes before the route is looked up."""
    state, request = call.state, call.request
    if state.ledger.schedule:
        state.run_due_events(call.now, call.auth_now)
    if state.cors or request.body or request.oversize:
        cors.check_origin(request, state.cors)
    if state.rulebook.rules:
        _apply_rules(call, None, BEFORE_GATES)
    for gate in state.outer:
        GATES[type(gate)](gate, call)


def _apply_rules(call: RequestContext, label: str | None, position: int) -> None:
    """Evaluates the rules that name no credential, or those that name ``label``."""
    state, request = call.state, call.request
    firings = state.rulebook.ask(state.provider, _operation(call), request, call.now, label)
    if firings:
        call.plan = call.plan or Plan()
        call.plan.add(firings, state.provider)
        _reject_by_rule(call, position)


def _operation_of_rule(call: RequestContext) -> str:
    """Returns the operation when a rule responded before the route was looked up."""
    return _operation(call) if call.plan is not None else ""


def _operation(call: RequestContext) -> str:
    """Returns the id of the route, looked up when it is not known yet; "" when there is none."""
    if call.route is not None:
        id: str = call.route.id
        return id
    try:
        call.found = call.state.router.find(call.request)
    except Reject:
        return ""
    return call.found[0].id


def _reject_by_rule(call: RequestContext, position: int) -> None:
    """Raises the Reject that a rule has planned for this position."""
    reason, facts = call.plan.reject_at(position) if call.plan is not None else ("", {})
    if reason == "rate_limited":
        reject = call.state.rate_limited(call.route, call.now)
        raise Reject(reason, **reject.facts, **facts)
    if reason:
        raise Reject(reason, **facts)


def _mutated(call: RequestContext, plan: Plan, response: Response) -> Response:
    """Returns a good response after the mutations of the plan."""
    shape, request = call.route.shape, call.request
    page = parameter(request, shape.page.encode()).decode("latin-1") if shape.page else ""
    digest = hashlib.blake2b(b"\n".join((request.path, request.query, request.body))).digest()
    return plan.mutate(MutableResponse(response, shape, call.credential.label, digest, page))


def _from_cache(call: RequestContext, params: Any) -> Response:
    """Returns the response from the cache, or the handler's."""
    state = call.state
    key = (call.route.id, call.credential.label, params)
    response: Response | None = state.answers.get(key, state.ledger.version)
    return _handle(call, params, key) if response is None else response


def _handle(call: RequestContext, params: Any, key: Any = None) -> Response:
    """Returns the handler's response; ``key`` is its key in the cache, until the ledger changes."""
    state = call.state
    reply = call.route.handle(state.view(call.credential, call.now, call.auth_now), params)
    body = encode(reply.body)
    if reply.changes:
        state.apply(reply.changes)
    response = Response(200, ((b"content-type", reply.media_type),), body)
    if key is not None and not reply.time_dependent and len(body) <= CACHED_MAX:
        state.answers.put(key, response)
    return response


def _authenticate(gate: Authenticate, call: RequestContext) -> None:
    state = call.state
    call.credential, call.note = gate.by(call.request, state.keyring, call.auth_now, state.quirks)
    if state.rulebook.rules and state.rulebook.has_labels:
        _apply_rules(call, call.credential.label, state.provider.gates.index(gate))


def _check_replay(gate: ReplayCheck, call: RequestContext) -> None:
    window = gate.window(call.state.quirks)
    if window and not call.state.replay.accept(gate.of(call.request), call.auth_now, window):
        raise Reject("replayed")


def _check_limit(gate: RateLimit, call: RequestContext) -> None:
    name = gate.limit or call.route.limit
    if name:
        counter = call.state.counters[name]
        caller = gate.per(call.request, call.credential)
        counter.check(caller, call.now, call.divisor)
        call.charges.append((counter, caller))


def _force_fate(gate: FaultHeaders, call: RequestContext) -> None:
    state = call.state
    firings = forced(state.provider, call.request, call.now, state.seed)
    if firings:
        call.plan = call.plan or Plan()
        call.plan.add(firings, state.provider)
        _reject_by_rule(call, BEFORE_GATES)


def _check_ban(gate: BanCheck, call: RequestContext) -> None:
    bans = call.state.ban_lists[gate.penalty.name]
    caller = gate.per(call.request, call.credential)
    counts_requests = call.state.quirks[gate.quirk] == "requests"
    if not counts_requests:
        call.bans_to_update.append((bans, caller))
    call.divisor = max(call.divisor, bans.divisor(caller, call.now))
    if counts_requests:
        bans.count_offence(caller, call.now)


GATES: dict[type, Any] = {
    Authenticate: _authenticate,
    ReplayCheck: _check_replay,
    RateLimit: _check_limit,
    BanCheck: _check_ban,
    FaultHeaders: _force_fate,
}


def _refuse(call: RequestContext, reject: Reject) -> Response:
    state, request = call.state, call.request
    if state.counts_reached:
        for counter, caller in call.charges:
            counter.charge(caller, call.now)
    if reject.reason == "rate_limited":
        for bans, caller in call.bans_to_update:
            bans.count_offence(caller, call.now)
    if reject.reason == cors.FOREIGN:
        return cors.refuse(request, state.provider)
    operation = call.route.id if call.route is not None else ""
    context = ErrorContext(
        state.quirks, request.full_path, request.query, state.seed, state.count, operation
    )
    return state.provider.refuse(reject, context)


def _unexpected(error: Exception) -> Reject:
    log.error("internal error", exc_info=error)
    return Reject("internal_error")


def _note(
    sandbox: Sandbox,
    call: RequestContext,
    label: str,
    response: Response,
    reason: str,
    explanation: Explanation | None,
) -> None:
    fault = delivery = ""
    if call.plan is not None:
        sandbox.journal.count_rules(call.plan.applied_rules)
        fault = ", ".join(call.plan.applied_rules)[:FAULT_MAX]
        delivery = ", ".join(d.fault.source for d in call.delivery)[:FAULT_MAX]
    journal = sandbox.journal
    redacted = journal.redactor.redact(call.request, response.body, refused=response.status >= 400)
    target, headers, body, response_body = redacted
    request, history = call.request, sandbox.history
    history.items += (call.state.provider.name, request, call.auth_now, call.began)
    size = REQUEST_SIZE + 2 * len(headers) + len(request.query) + len(request.body)
    history.left -= size
    journal.count += 1
    journal.add(
        JournalEntry(
            journal.count,
            call.now,
            call.auth_now,
            call.state.provider.name,
            call.route.id if call.route is not None else _operation_of_rule(call),
            call.request.method,
            target,
            label,
            response.status,
            reason,
            call.note,
            fault,
            delivery,
            sandbox.clock.monotonic() - call.began,
            headers,
            body,
            response.headers,
            response_body,
            explanation,
        ),
        size,
    )
