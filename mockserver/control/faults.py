"""Shows, sets and deletes fault rules; plays and stops scenarios."""

import copy
from collections.abc import Mapping
from itertools import count
from typing import Any

from mockserver.control.matching import check_credential
from mockserver.control.routes import ControlCall, invalid
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT
from mockserver.errors import ControlError, DataError, InvalidCall, json_path
from mockserver.faults.matching import ActiveRule
from mockserver.faults.parsing import RuleParser
from mockserver.faults.rules import ANY_PROVIDER, Rule
from mockserver.faults.scenario import Scenario
from mockserver.files import scenarios
from mockserver.model import times
from mockserver.model.suggestions import choices

HINT = "see docs/reference/faults.md"


def index(call: ControlCall) -> dict[str, Any]:
    """Returns every rule, and how often each has matched and fired."""
    sandbox = call.sandbox
    with sandbox.lock:
        return rules_document(sandbox)


def rules_document(sandbox: Sandbox) -> dict[str, Any]:
    """Returns the rules of a sandbox, whose lock is held."""
    now = sandbox.clock.now()
    rules = [_rule_document(active, now) for active in sandbox.rulebook.rules.values()]
    return {"scenario": sandbox.scenario.name if sandbox.scenario else None, "rules": rules}


def _rule_document(active: ActiveRule, now: int) -> dict[str, Any]:
    window = active.rule.window
    state = "active" if window.covers(now - active.since) else "waiting"
    return {
        "rule": copy.deepcopy(active.rule.source),  # a caller in this process may change it
        "scenario": active.scenario or None,
        "state": "over" if active.is_over(now) else state,
        "matched": active.matched,
        "fired": active.fired,
    }


def create(call: ControlCall) -> dict[str, Any]:
    """Sets a rule; replaces the one with its name. Without a name it gets an unused one."""
    sandbox = call.sandbox
    data = call.body if "name" in call.body else {"name": _unused_name(sandbox), **call.body}
    try:
        rule = RuleParser(call.app.providers).parse(data)
    except DataError as error:
        raise invalid(error, HINT) from None
    _check_credential(sandbox, rule)
    with sandbox.lock:
        sandbox.put_rules([rule])
        return _rule_document(sandbox.rulebook.rules[rule.name], sandbox.clock.now())


def _unused_name(sandbox: Sandbox) -> str:
    with sandbox.lock:
        known = sandbox.rulebook.rules
        return next(name for n in count(1) if (name := f"rule-{n}") not in known)


def _check_credential(sandbox: Sandbox, rule: Rule, *prefix: str | int) -> None:
    """Raises InvalidCall for a rule that waits for a credential the sandbox does not have."""
    match = rule.match
    if match.credential:
        provider = None if match.provider == ANY_PROVIDER else match.provider
        at = json_path((*prefix, "match", "credential"))
        check_credential(sandbox, provider, match.credential, at)


def clear(call: ControlCall) -> None:
    """Stops the scenario and deletes every rule."""
    sandbox = call.sandbox
    with sandbox.lock:
        sandbox.stop()
        sandbox.drop_rules(list(sandbox.rulebook.rules))


def delete(call: ControlCall) -> None:
    """Deletes a rule."""
    sandbox, name = call.sandbox, call.path["name"]
    with sandbox.lock:
        if name not in sandbox.rulebook.rules:
            known = choices(name, sandbox.rulebook.rules)
            raise ControlError(404, f"no rule {name}", "name", known)
        sandbox.drop_rules([name])


def shipped_scenarios(call: ControlCall) -> dict[str, Any]:
    """Lists the shipped scenarios: what happens in each, and what a good client does."""
    loaded = map(scenarios.load_shipped, scenarios.shipped())
    rows = [{"name": s.name, "about": s.about, "client": s.client} for s in loaded]
    return {"scenarios": rows}


def show_scenario(call: ControlCall) -> dict[str, Any]:
    """Returns the scenario that plays, as it can be played again; null for none."""
    with call.sandbox.lock:
        scenario: Scenario | None = call.sandbox.scenario
    return {"scenario": None if scenario is None else _scenario_document(scenario)}


def _scenario_document(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "about": scenario.about,
        "client": scenario.client,
        "rules": [copy.deepcopy(rule.source) for rule in scenario.rules],
        "quirks": dict(scenario.quirks),
        "limits": dict(scenario.limits),
        "skew": None if scenario.skew is None else times.duration_text(scenario.skew),
    }


def play(call: ControlCall) -> dict[str, Any]:
    """Plays a scenario; replaces the one that plays."""
    sandbox = call.sandbox
    if not call.body:
        raise InvalidCall("nothing to play", hint="give the name of a scenario, or one inline")
    scenario = read_scenario(call.body)
    check_tls_fault(call, sandbox.id, scenario)
    for n, rule in enumerate(scenario.rules):
        _check_credential(sandbox, rule, "rules", n)
    with sandbox.lock:
        sandbox.play(scenario)
        return rules_document(sandbox)


def stop(call: ControlCall) -> None:
    """Stops the scenario that plays."""
    call.sandbox.stop()


def check_tls_fault(call: ControlCall, id: str, scenario: Scenario, *prefix: str) -> None:
    """Raises InvalidCall for a TLS fault that cannot happen in the sandbox."""
    if scenario.tls_fault and (id != DEFAULT or call.app.trust is None):
        hint = "play it in the sandbox default of a server with --tls"
        raise InvalidCall("a TLS fault is the server's", json_path((*prefix, "tls_fault")), hint)


def read_scenario(source: str | Mapping[str, Any], *prefix: str) -> Scenario:
    """Returns the scenario for a shipped name or inline data at a path of the body.

    Raises InvalidCall.
    """
    if isinstance(source, Mapping) and source.keys() == {"name"}:
        name = source["name"]
        if isinstance(name, str):
            return read_scenario(name, *prefix, "name")
    if not isinstance(source, str):
        try:
            return scenarios.from_data(source)
        except DataError as error:
            raise invalid(error, HINT, *prefix) from None
    if source not in scenarios.shipped():
        known = choices(source, scenarios.shipped(), "; or give one inline")
        raise InvalidCall("no such scenario", json_path(prefix), known)
    return scenarios.load_shipped(source)
