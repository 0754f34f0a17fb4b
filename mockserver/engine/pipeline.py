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
from mockserver.engine.bans import Offenders
from mockserver.engine.journal import FAULT_MAX, Entry
from mockserver.engine.limits import Window
from mockserver.engine.sandbox import Desk, Sandbox
from mockserver.explain import Explanation, Refused, redacting, shown
from mockserver.explain.general import Around, by_key, by_rule, explain, redact
from mockserver.faults.plan import FRONT, ROUTE, Instead, Plan
from mockserver.faults.response_body import Good
from mockserver.model.http import Request, Response
from mockserver.model.provider import Asked, Authenticate, Check, Escalate, Once, Throttle
from mockserver.model.query import parameter
from mockserver.model.reject import Reject

log = logging.getLogger("mockserver")

KEPT_MAX = 64 * 1024  # bytes of an answer that is kept

HEADER = b"x-mockserver-explanation"

encode = msgspec.json.Encoder().encode


class Call(Struct, gc=False):
    """What is known of a request while it moves along the line."""

    desk: Desk
    request: Request
    now: int
    auth_now: int
    began: int
    route: Any = None
    credential: Any = None
    note: str = ""
    spent: list[tuple[Window, str]] = []
    watched: list[tuple[Offenders, str]] = []
    share: int = 1
    plan: Plan | None = None


def answer(sandbox: Sandbox, provider: str, request: Request) -> Response:
    """Answers one request as the provider would, and keeps it in the journal."""
    with sandbox.lock:
        desk = sandbox.desks[provider]
        desk.count += 1
        call = Call(desk, request, *sandbox.clock.read())
        reason, label, reject = "", "", None
        try:
            response = _accept(call)
            label = call.credential.label
        except Instead as instead:
            response = instead.response
            label = call.credential.label if call.credential else ""
        except Exception as error:
            reject = error if isinstance(error, Reject) else _unexpected(call, error)
            response = _refuse(call, reject)
            reason = reject.reason
            label = call.credential.label if call.credential else reject.facts.get("credential", "")
        if desk.cors:
            response = cors.allowed(request, response)
        if call.plan is not None:
            response = call.plan.sent(response)
        explanation = _explained(sandbox, call, reject, label) if reject else None
        if explanation is not None and sandbox.settings.explain_header:
            response = _told(response, explanation)
        _note(sandbox, call, label, response, reason, explanation)
        return response


def _explained(sandbox: Sandbox, call: Call, reject: Reject, label: str) -> Explanation | None:
    """Explains a refusal while the secrets are at hand; none of them is in what it returns."""
    desk, index = call.desk, sandbox.journal.redactor.index
    refused = Refused(
        call.request, reject.reason, reject.facts, desk.vault, desk.quirks, call.auth_now
    )

    def made() -> Explanation:
        key = desk.vault.labelled(label) if label else None
        if call.plan is not None and call.plan.refused_by:
            told = by_rule(call.plan.refused_by)
        elif key is not None and key.rejects == reject.reason:
            told = by_key(label, reject.reason)
        else:
            with redacting(index.redact):
                told = explain(refused, _around(sandbox, call))
        return redact(told, index, sandbox.secrets(desk, label))

    try:
        return sandbox.allowance.spend(made)
    except Exception:  # the answer stands all the same
        log.exception("an explanation failed")
        return None


def _around(sandbox: Sandbox, call: Call) -> Around:
    limits = [counter.limit for counter in call.desk.counters.values()]
    provider, providers = call.desk.provider, sandbox.providers
    return Around(provider, providers, limits, call.share, sandbox.whose)


def _told(response: Response, explanation: Explanation) -> Response:
    """Adds the explanation as a header, in one line."""
    line = shown(f"{explanation.rule}: {explanation.fix}".encode())
    return replace(
        response, headers=(*response.headers, (HEADER, line.encode("ascii", "backslashreplace")))
    )


def _accept(call: Call) -> Response:
    desk, request, now = call.desk, call.request, call.now
    desk.settle(now, call.auth_now)
    cors.screen(request, desk.cors)
    if desk.rulebook.rules:
        _ask(call, None, FRONT)
    for gate in desk.provider.outer:
        PASS[type(gate)](gate, call)
    route, captured = desk.router.find(request)
    call.route = route
    if request.oversize:
        raise Reject("too_large")
    if call.plan is not None:
        _stop(call, ROUTE)
    for position, gate in enumerate(desk.provider.gates):
        if call.plan is not None:
            _stop(call, position)
        PASS[type(gate)](gate, call)
    behind = len(desk.provider.gates)
    if call.plan is not None:
        _stop(call, behind)
    params = route.parse(request, captured)
    if call.plan is not None:
        _stop(call, behind + 1)
    response = _kept(call, params) if route.steady else _handle(call, params)
    for counter, caller in call.spent:
        counter.spend(caller, now)
    return response if call.plan is None else _hurt(call, call.plan, response)


def _ask(call: Call, label: str | None, position: int) -> None:
    """Asks the rules: those that name no credential, or those that name this one."""
    desk, request = call.desk, call.request
    firings = desk.rulebook.ask(desk.provider, _operation(call), request, call.now, label)
    if firings:
        call.plan = call.plan or Plan()
        call.plan.add(firings, desk.provider)
        _stop(call, position)


def _named(call: Call) -> str:
    """Returns the operation where a rule answered before it was looked up."""
    return _operation(call) if call.plan is not None else ""


def _operation(call: Call) -> str:
    """Returns the id of the route, which may not be known yet; nothing where there is none."""
    if call.route is not None:
        id: str = call.route.id
        return id
    try:
        return call.desk.router.find(call.request)[0].id
    except Reject:
        return ""


def _stop(call: Call, position: int) -> None:
    """Refuses here when a rule wants it."""
    reason = call.plan.stop(position) if call.plan is not None else ""
    if reason == "rate_limited":
        raise call.desk.full(call.route, call.now)
    if reason:
        raise Reject(reason)


def _hurt(call: Call, plan: Plan, response: Response) -> Response:
    shape, request = call.route.shape, call.request
    page = parameter(request, shape.page.encode()).decode("latin-1") if shape.page else ""
    asked = hashlib.blake2b(b"\n".join((request.path, request.query, request.body))).digest()
    return plan.hurt(Good(response, shape, call.credential.label, asked, page))


def _kept(call: Call, params: Any) -> Response:
    """Answers as it did before, while the ledger is what it was."""
    desk = call.desk
    key = (call.route.id, call.credential.label, params)
    response: Response | None = desk.answers.get(key, desk.book.version)
    return _handle(call, params, key) if response is None else response


def _handle(call: Call, params: Any, key: Any = None) -> Response:
    """Answers, and keeps the answer under a key while the ledger is what it was."""
    desk = call.desk
    reply = call.route.handle(desk.view(call.credential, call.now, call.auth_now), params)
    body = encode(reply.body)
    if reply.changes:
        desk.apply(reply.changes)
    response = Response(200, ((b"content-type", reply.media_type),), body)
    if key is not None and not reply.fleeting and len(body) <= KEPT_MAX:
        desk.answers.put(key, response)
    return response


def _authenticate(gate: Authenticate, call: Call) -> None:
    desk = call.desk
    call.credential, call.note = gate.by(call.request, desk.vault, call.auth_now, desk.quirks)
    if desk.rulebook.rules:
        _ask(call, call.credential.label, desk.provider.gates.index(gate))


def _once(gate: Once, call: Call) -> None:
    window = gate.window(call.desk.quirks)
    if window and not call.desk.replay.accept(gate.of(call.request), call.auth_now, window):
        raise Reject("replayed")


def _throttle(gate: Throttle, call: Call) -> None:
    name = gate.limit or call.route.limit
    if name:
        counter = call.desk.counters[name]
        caller = gate.per(call.request, call.credential)
        counter.check(caller, call.now, call.share)
        call.spent.append((counter, caller))


def _escalate(gate: Escalate, call: Call) -> None:
    offenders = call.desk.offenders.get(gate.penalty.name)
    if offenders is not None:
        caller = gate.per(call.request, call.credential)
        call.watched.append((offenders, caller))
        call.share = max(call.share, offenders.share(caller, call.now))


def _check(gate: Check, call: Call) -> None:
    gate.rule(call.request, call.route, call.credential)


PASS: dict[type, Any] = {
    Authenticate: _authenticate,
    Once: _once,
    Throttle: _throttle,
    Escalate: _escalate,
    Check: _check,
}


def _refuse(call: Call, reject: Reject) -> Response:
    desk, request = call.desk, call.request
    if reject.reason == "rate_limited":
        for offenders, caller in call.watched:
            offenders.offend(caller, call.now)
    if reject.reason == cors.FOREIGN:
        return cors.refuse(request, desk.provider.name)
    asked = Asked(desk.quirks, request.path, request.query, desk.seed, desk.count)
    return desk.provider.refuse(reject, asked)


def _unexpected(call: Call, error: Exception) -> Reject:
    log.error("internal error", exc_info=error)
    return Reject("internal_error")


def _note(
    sandbox: Sandbox,
    call: Call,
    label: str,
    response: Response,
    reason: str,
    explanation: Explanation | None,
) -> None:
    fault = delivery = ""
    if call.plan is not None:
        sandbox.journal.took.update(call.plan.took)
        fault = ", ".join(call.plan.took)[:FAULT_MAX]
        delivery = ", ".join(d.fault.said for d in response.deliveries)[:FAULT_MAX]
    journal = sandbox.journal
    redacted = journal.redactor.redact(call.request, response.body, refused=response.status >= 400)
    target, headers, body, answered = redacted
    journal.count += 1
    journal.add(
        Entry(
            journal.count,
            call.now,
            call.auth_now,
            call.desk.provider.name,
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
