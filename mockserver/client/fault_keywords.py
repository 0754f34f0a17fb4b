"""Turns the keywords of ``fail()`` into the body of ``POST /faults``, and scenarios into data.

``faults/parsing`` makes the rule of that body.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mockserver.errors import SettingError
from mockserver.faults.parsing import KEYWORDS, AnswerSpec, FiringSpec
from mockserver.faults.rules import RuleMatch
from mockserver.files import scenarios
from mockserver.model.suggestions import choices
from mockserver.model.times import spelled

MATCH = RuleMatch.__struct_fields__
WHEN = tuple(KEYWORDS.get(name, name) for name in FiringSpec.__struct_fields__)
ANSWER = AnswerSpec.__struct_fields__
SECTIONS = (("match", MATCH), ("when", WHEN), ("answer", ANSWER))
WHOLE_SECTIONS = ("mutate", "deliver")  # each is one keyword that has the whole section


def fail(
    call: Callable[..., Any],
    match: Mapping[str, str],
    name: str | None,
    keywords: Mapping[str, Any],
) -> str:
    """Sets a fault rule from keywords and returns its name; raises SettingError.

    Without a ``name`` the rule gets one that is derived from its content. ``call`` sends a
    request to the control API.
    """
    rule = rule_body(match, keywords)
    rule["name"] = _json_copy(name) or _content_name(rule)
    call("POST", "/faults", rule)
    return str(rule["name"])


def rule_body(match: Mapping[str, str], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a rule as JSON data, without a name; raises SettingError for a wrong keyword."""
    rule: dict[str, Any] = {"match": dict(match)}
    for keyword, value in keywords.items():
        member = KEYWORDS.get(keyword, keyword)  # from_ stands for from, a reserved word
        if member in WHOLE_SECTIONS:
            rule[member] = value
            continue
        section = next((section for section, members in SECTIONS if member in members), None)
        if section is None:
            known = (*MATCH, *WHEN, *ANSWER, *WHOLE_SECTIONS)
            raise SettingError(f"a rule has no {keyword}: {choices(keyword, known)}")
        if member in rule.get(section, {}):
            raise SettingError(f"{member} is given already: {rule[section][member]!r}")
        rule.setdefault(section, {})[member] = value
    copy: dict[str, Any] = _json_copy(rule)
    return copy


def _json_copy(data: Any) -> Any:
    """Returns data as JSON carries it, so that a rule is the same in process and over HTTP."""
    try:
        return json.loads(json.dumps(spelled(data), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingError(f"a rule may contain only JSON values: {error}") from None


def _content_name(rule: Mapping[str, Any]) -> str:
    """Returns a name that is the same for the same content."""
    text = json.dumps(rule, sort_keys=True)
    return "fail-" + hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def scenario_body(scenario: str | Path | Mapping[str, Any] | None) -> Any:
    """Returns the body that plays a scenario: the name of a shipped one, or its data."""
    if isinstance(scenario, str) and scenario in scenarios.shipped():
        return {"name": scenario}
    if isinstance(scenario, str | Path):
        scenario = scenarios.data(scenarios.find(str(scenario)))
    return _json_copy(scenario)
