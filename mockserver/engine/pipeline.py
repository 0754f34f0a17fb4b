"""One request, in order: a straight line, synchronous, under the sandbox's lock.

rules, outer gates, route, gates in the provider's order, parameters, handler, changes, answer.
Every refusal on the way is a Reject and lands in the one ``try`` below. Where a rule fires, it
may give an answer, refuse at a gate, change what went well, and say how it is sent.
"""

import hashlib
import logging
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mockserver.engine import cors
from mockserver.engine.bans import BanList
from mockserver.engine.journal import FAULT_MAX, JournalEntry
from mockserver.engine.limits import Window
from mockserver.engine.sandbox import ProviderState, Sandbox
from mockserver.explain import Explanation, RejectedRequest, printable, redacting
from mockserver.explain.general import RejectContext, by_key, by_rule, explain, redact
from mockserver.faults.plan import AT_ROUTE, BEFORE_GATES, DELAY, Delivery, Plan, RawAnswer
from mockserver.faults.response_body import MutableResponse
from mockserver.model.http import PLAIN, Request, Response
from mockserver.model.provider import (
    Authenticate,
    BanCheck,
    Check,
    ErrorContext,
    RateLimit,
    ReplayCheck,
)
from mockserver.model.query import parameter
from mockserver.model.reject import Reject

log = logging.getLogger("mockserver")

KEPT_MAX = 64 * 1024  # bytes of an answer that is kept

HEADER = b"x-mockserver-explanation"

encode = msgspec.json.Encoder().encode


class RequestContext(Struct, gc=False):
    """What is known of a request while it moves along the line."""

    state: ProviderState
    request: Request
    now: int
    auth_now: int
    began: int
    route: Any = None
    credential: Any = None
    note: str = ""
    spent: list[tuple[Window, str]] = []
    bans_to_update: list[tuple[BanList, str]] = []
    share: int = 1
    plan: Plan | None = None
    delivery: tuple[Delivery, ...] = ()


class Outcome(Struct, frozen=True, gc=False):
    """A response, and how it is to be delivered where that is not at once and whole."""

    response: Response
    delivery: tuple[Delivery, ...] = ()


NO_SOCKET = "a delivery (cut, reset, delay, ...) needs a real socket: run a server"
UNDELIVERABLE = Response(501, PLAIN, f"{NO_SOCKET}\n".encode())


def respond(
    sandbox: Sandbox, provider: str, request: Request, *, on_socket: bool = True
) -> Outcome:
    """Answers one request as the provider would, and keeps it in the journal.

    Where the caller holds no socket (``on_socket`` is False), a delivery other than a delay is
    answered by 501; the changes that the request made are kept.
    """
    with sandbox.lock:
        state = sandbox.states[provider]
        state.count += 1
        call = RequestContext(state, request, *sandbox.clock.read())
        reason, label, reject = "", "", None
        try:
            response = _accept(call)
            label = call.credential.label
        except RawAnswer as instead:
            response = instead.response
            label = call.credential.label if call.credential else ""
        except Exception as error:
            reject = error if isinstance(error, Reject) else _unexpected(call, error)
            response = _refuse(call, reject)
            reason = reject.reason
            label = call.credential.label if call.credential else reject.facts.get("credential", "")
        if state.cors:
            response = cors.allowed(request, response)
        played: tuple[Delivery, ...] = ()
        if call.plan is not None:
            played = call.delivery = call.plan.delivery()
            if not on_socket and any(d.fault.name != DELAY for d in played):
                response, played, call.note = UNDELIVERABLE, (), NO_SOCKET
        explanation = _explained(sandbox, call, reject, label) if reject else None
        if explanation is not None and sandbox.settings.explain_header:
            response = _told(response, explanation)
        _note(sandbox, call, label, response, reason, explanation)
        return Outcome(response, played)


def _explained(
    sandbox: Sandbox, call: RequestContext, reject: Reject, label: str
) -> Explanation | None:
    """Explains a refusal while the secrets are at hand; none of them is in what it returns."""
    state, index = call.state, sandbox.journal.redactor.index
    refused = RejectedRequest(
        call.request, reject.reason, reject.facts, state.keyring, state.quirks, call.auth_now
    )

    def made() -> Explanation:
        key = state.keyring.with_label(label) if label else None
        if call.plan is not None and call.plan.refused_by:
            told = by_rule(call.plan.refused_by)
        elif key is not None and key.rejects == reject.reason:
            told = by_key(label, reject.reason)
        else:
            with redacting(index.redact):
                told = explain(refused, _around(sandbox, call))
        return redact(told, index, sandbox.secrets(state, label))

    try:
        return sandbox.allowance.spend(made)
    except Exception:  # the answer stands all the same
        log.exception("an explanation failed")
        return None


def _around(sandbox: Sandbox, call: RequestContext) -> RejectContext:
    limits = [counter.limit for counter in call.state.counters.values()]
    provider, providers = call.state.provider, sandbox.providers
    return RejectContext(provider, providers, limits, call.share, sandbox.owner_of)


def _told(response: Response, explanation: Explanation) -> Response:
    """Adds the explanation as a header, in one line."""
    line = printable(f"{explanation.rule}: {explanation.fix}".encode())
    return replace(
        response, headers=(*response.headers, (HEADER, line.encode("ascii", "backslashreplace")))
    )


def _accept(call: RequestContext) -> Response:
    state, request, now = call.state, call.request, call.now
    state.settle(now, call.auth_now)
    cors.screen(request, state.cors)
    if state.rulebook.rules:
        _ask(call, None, BEFORE_GATES)
    for gate in state.provider.outer:
        PASS[type(gate)](gate, call)
    route, captured = state.router.find(request)
    call.route = route
    if request.oversize:
        raise Reject("too_large")
    if call.plan is not None:
        _stop(call, AT_ROUTE)
    for position, gate in enumerate(state.provider.gates):
        if call.plan is not None:
            _stop(call, position)
        PASS[type(gate)](gate, call)
    behind = len(state.provider.gates)
    if call.plan is not None:
        _stop(call, behind)
    params = route.parse(request, captured)
    if call.plan is not None:
        _stop(call, behind + 1)
    response = _kept(call, params) if route.cacheable else _handle(call, params)
    for counter, caller in call.spent:
        counter.spend(caller, now)
    return response if call.plan is None else _hurt(call, call.plan, response)


def _ask(call: RequestContext, label: str | None, position: int) -> None:
    """Asks the rules: those that name no credential, or those that name this one."""
    state, request = call.state, call.request
    firings = state.rulebook.ask(state.provider, _operation(call), request, call.now, label)
    if firings:
        call.plan = call.plan or Plan()
        call.plan.add(firings, state.provider)
        _stop(call, position)


def _named(call: RequestContext) -> str:
    """Returns the operation where a rule answered before it was looked up."""
    return _operation(call) if call.plan is not None else ""


def _operation(call: RequestContext) -> str:
    """Returns the id of the route, which may not be known yet; nothing where there is none."""
    if call.route is not None:
        id: str = call.route.id
        return id
    try:
        return call.state.router.find(call.request)[0].id
    except Reject:
        return ""


def _stop(call: RequestContext, position: int) -> None:
    """Refuses here when a rule wants it."""
    reason = call.plan.reject_at(position) if call.plan is not None else ""
    if reason == "rate_limited":
        raise call.state.full(call.route, call.now)
    if reason:
        raise Reject(reason)


def _hurt(call: RequestContext, plan: Plan, response: Response) -> Response:
    shape, request = call.route.shape, call.request
    page = parameter(request, shape.page.encode()).decode("latin-1") if shape.page else ""
    asked = hashlib.blake2b(b"\n".join((request.path, request.query, request.body))).digest()
    return plan.mutate(MutableResponse(response, shape, call.credential.label, asked, page))


def _kept(call: RequestContext, params: Any) -> Response:
    """Answers as it did before, while the ledger is what it was."""
    state = call.state
    key = (call.route.id, call.credential.label, params)
    response: Response | None = state.answers.get(key, state.ledger.version)
    return _handle(call, params, key) if response is None else response


def _handle(call: RequestContext, params: Any, key: Any = None) -> Response:
    """Answers, and keeps the answer under a key while the ledger is what it was."""
    state = call.state
    reply = call.route.handle(state.view(call.credential, call.now, call.auth_now), params)
    body = encode(reply.body)
    if reply.changes:
        state.apply(reply.changes)
    response = Response(200, ((b"content-type", reply.media_type),), body)
    if key is not None and not reply.time_dependent and len(body) <= KEPT_MAX:
        state.answers.put(key, response)
    return response


def _authenticate(gate: Authenticate, call: RequestContext) -> None:
    state = call.state
    call.credential, call.note = gate.by(call.request, state.keyring, call.auth_now, state.quirks)
    if state.rulebook.rules:
        _ask(call, call.credential.label, state.provider.gates.index(gate))


def _once(gate: ReplayCheck, call: RequestContext) -> None:
    window = gate.window(call.state.quirks)
    if window and not call.state.replay.accept(gate.of(call.request), call.auth_now, window):
        raise Reject("replayed")


def _throttle(gate: RateLimit, call: RequestContext) -> None:
    name = gate.limit or call.route.limit
    if name:
        counter = call.state.counters[name]
        caller = gate.per(call.request, call.credential)
        counter.check(caller, call.now, call.share)
        call.spent.append((counter, caller))


def _escalate(gate: BanCheck, call: RequestContext) -> None:
    offenders = call.state.offenders.get(gate.penalty.name)
    if offenders is not None:
        caller = gate.per(call.request, call.credential)
        call.bans_to_update.append((offenders, caller))
        call.share = max(call.share, offenders.share(caller, call.now))


def _check(gate: Check, call: RequestContext) -> None:
    gate.rule(call.request, call.route, call.credential)


PASS: dict[type, Any] = {
    Authenticate: _authenticate,
    ReplayCheck: _once,
    RateLimit: _throttle,
    BanCheck: _escalate,
    Check: _check,
}


def _refuse(call: RequestContext, reject: Reject) -> Response:
    state, request = call.state, call.request
    if reject.reason == "rate_limited":
        for offenders, caller in call.bans_to_update:
            offenders.offend(caller, call.now)
    if reject.reason == cors.FOREIGN:
        return cors.refuse(request, state.provider.name)
    asked = ErrorContext(state.quirks, request.full_path, request.query, state.seed, state.count)
    return state.provider.refuse(reject, asked)


def _unexpected(call: RequestContext, error: Exception) -> Reject:
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
        sandbox.journal.applied_rules.update(call.plan.applied_rules)
        fault = ", ".join(call.plan.applied_rules)[:FAULT_MAX]
        delivery = ", ".join(d.fault.source for d in call.delivery)[:FAULT_MAX]
    journal = sandbox.journal
    redacted = journal.redactor.redact(call.request, response.body, refused=response.status >= 400)
    target, headers, body, answered = redacted
    journal.count += 1
    journal.add(
        JournalEntry(
            journal.count,
            call.now,
            call.auth_now,
            call.state.provider.name,
            call.route.id if call.route is not None else _named(call),
            call.request.method,
            target,
            label,
            response.status,
            reason,
            call.note,
            fault,
            delivery,
            sandbox.clock.real() - call.began,
            headers,
            body,
            response.headers,
            answered,
            explanation,
        )
    )
