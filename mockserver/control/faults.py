"""Rules and scenarios: shown, set, taken away."""

import copy
from collections.abc import Mapping
from typing import Any

from mockserver.control.matching import check_credential
from mockserver.control.routes import ControlCall, ControlError
from mockserver.engine.sandbox import Sandbox
from mockserver.faults.matching import ActiveRule
from mockserver.faults.parsing import RuleParser
from mockserver.faults.rules import ANY_PROVIDER, Rule
from mockserver.faults.scenario import Scenario
from mockserver.files import scenarios
from mockserver.files.strict_yaml import LocatedError
from mockserver.model.suggestions import choices

HINT = "see the chapter on faults"


def index(call: ControlCall) -> dict[str, Any]:
    """Tells every rule, and how often it matched and fired."""
    sandbox = call.sandbox
    with sandbox.lock:
        return rule_document(sandbox)


def rule_document(sandbox: Sandbox) -> dict[str, Any]:
    """Tells the rules of a sandbox, which is locked."""
    now = sandbox.clock.now()
    rules = [_told(active, now) for active in sandbox.rulebook.rules.values()]
    return {"scenario": sandbox.scenario.name if sandbox.scenario else None, "rules": rules}


def _told(active: ActiveRule, now: int) -> dict[str, Any]:
    window = active.rule.window
    state = "active" if window.covers(now - active.since) else "waiting"
    return {
        "rule": copy.deepcopy(active.rule.source),  # the caller's own, in process too
        "scenario": active.scenario or None,
        "state": "over" if active.is_over(now) else state,
        "matched": active.matched,
        "fired": active.fired,
    }


def put(call: ControlCall) -> dict[str, Any]:
    """Sets a rule, in the place of one with its name."""
    try:
        rule = RuleParser("", call.app.providers).parse(call.body, ())
    except LocatedError as wrong:
        raise ControlError(400, wrong.what, wrong.path, HINT) from None
    sandbox = call.sandbox
    _check_credential(sandbox, rule, "$.match.credential")
    with sandbox.lock:
        sandbox.rulebook.put([rule], sandbox.clock.now())
        return _told(sandbox.rulebook.rules[rule.name], sandbox.clock.now())


def _check_credential(sandbox: Sandbox, rule: Rule, at: str) -> None:
    """Raises Refused for a rule that waits for a credential which the sandbox has not."""
    match = rule.match
    if match.credential:
        check_credential(
            sandbox,
            None if match.provider == ANY_PROVIDER else match.provider,
            match.credential,
            at,
        )


def clear(call: ControlCall) -> None:
    """Takes every rule away, a scenario's too, and ends it."""
    sandbox = call.sandbox
    with sandbox.lock:
        sandbox.stop()
        sandbox.rulebook.drop(list(sandbox.rulebook.rules))


def drop(call: ControlCall) -> None:
    """Takes a rule away."""
    sandbox, name = call.sandbox, call.path["name"]
    with sandbox.lock:
        if name not in sandbox.rulebook.rules:
            there = choices(name, sandbox.rulebook.rules)
            raise ControlError(404, f"no rule {name}", "name", there)
        sandbox.rulebook.drop([name])


def play(call: ControlCall) -> dict[str, Any]:
    """Starts a scenario, in the place of the one that plays."""
    sandbox = call.sandbox
    if not call.body:
        raise ControlError(
            400, "nothing to play", hint="give the name of a scenario, or one inline"
        )
    found = read(call.body, "$")
    for n, rule in enumerate(found.rules):
        _check_credential(sandbox, rule, f"$.rules[{n}].match.credential")
    with sandbox.lock:
        sandbox.play(found)
        return rule_document(sandbox)


def stop(call: ControlCall) -> None:
    """Ends the scenario that plays."""
    call.sandbox.stop()


def read(wish: str | Mapping[str, Any], at: str) -> Scenario:
    """Reads a shipped scenario's name, or one inline; raises Refused."""
    if isinstance(wish, Mapping) and wish.keys() == {"name"} and isinstance(wish["name"], str):
        wish, at = wish["name"], at + ".name"
    if not isinstance(wish, str):
        try:
            return scenarios.from_data(wish)
        except LocatedError as wrong:
            raise ControlError(400, wrong.what, at + wrong.path.removeprefix("$"), HINT) from None
    if wish not in scenarios.shipped():
        there = choices(wish, scenarios.shipped(), "; or give one inline")
        raise ControlError(400, "no such scenario", at, there)
    return scenarios.load_shipped(wish)
