"""Turns the keywords of ``fail()`` into the body of ``POST /faults``, and scenarios into data.

Keywords may be flat or in the sections of a file, and values in the forms that Python has for
them. ``faults/parsing`` makes the rule of that body.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mockserver.client.tracebacks import CallersMistake, hides_frames
from mockserver.errors import SettingError
from mockserver.faults import kinds
from mockserver.faults.parsing import KEYWORDS, AnswerSpec, FiringSpec
from mockserver.faults.rules import RuleMatch
from mockserver.faults.shorthand import expanded
from mockserver.files import scenarios
from mockserver.model.suggestions import nearest, unknown
from mockserver.model.times import spelled

__tracebackhide__ = hides_frames

MATCH, WHEN, ANSWER, MUTATE, DELIVER = "match", "when", "answer", "mutate", "deliver"
JSON_HEADER = {"content-type": "application/json"}


def sections() -> dict[str, tuple[str, ...]]:
    """Returns the keywords by the section of a rule that they belong to."""
    return {
        MATCH: RuleMatch.__struct_fields__,
        WHEN: tuple(KEYWORDS.get(name, name) for name in FiringSpec.__struct_fields__),
        ANSWER: AnswerSpec.__struct_fields__,
        MUTATE: tuple(kinds.kinds(kinds.MUTATIONS)),
        DELIVER: (*kinds.kinds(kinds.DELIVERIES), "clock"),
    }


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
    with CallersMistake():
        rule = rule_body(match, keywords)
        rule["name"] = _json_copy(name) or _content_name(rule)
    call("POST", "/faults", rule)
    return str(rule["name"])


def rule_body(match: Mapping[str, str], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a rule as JSON data, without a name; raises SettingError for a wrong keyword."""
    known = sections()
    rule: dict[str, Any] = {MATCH: dict(match)}
    for keyword, value in keywords.items():
        if keyword not in known:
            _put(rule, known, _section(known, keyword), keyword, value)
            continue
        members = expanded(value) if keyword in (MUTATE, DELIVER) else value
        if not isinstance(members, Mapping):
            raise SettingError(f"{keyword} takes a dictionary, not {value!r:.40}", (keyword,))
        for member, inner in members.items():
            _put(rule, known, keyword, member, inner)
    _write_body(rule.get(ANSWER, {}))
    copy: dict[str, Any] = _json_copy(rule)
    return copy


def _section(known: Mapping[str, tuple[str, ...]], keyword: str) -> str:
    """Returns the section of a flat keyword."""
    member = KEYWORDS.get(keyword, keyword)  # from_ stands for from, a reserved word
    for section, members in known.items():
        if member in members:
            return section
    names = [*known, *(name for members in known.values() for name in members)]
    similar = nearest(keyword, names)
    hint = f"did you mean {similar}?" if similar else f"there are {', '.join(names)}"
    raise SettingError(f"a rule has no {keyword}: {hint}", (keyword,))


def _put(
    rule: dict[str, Any],
    known: Mapping[str, tuple[str, ...]],
    section: str,
    keyword: str,
    value: Any,
) -> None:
    """Sets a member of a section; raises SettingError for an unknown one, or one that is set."""
    member = KEYWORDS.get(keyword, keyword)
    if member not in known[section]:
        raise SettingError(unknown(f"{section} keyword", str(keyword), known[section]), (section,))
    members = rule.setdefault(section, {})
    if member in members:
        raise SettingError(f"{member} is given already: {members[member]!r}", (section, member))
    if section in (MUTATE, DELIVER):
        members |= expanded({member: value})
    elif member == "requests":
        members[member] = _requests(value)
    else:
        members[member] = value


def _write_body(answer: dict[str, Any]) -> None:
    """Replaces a body of bytes by its text, and any other value by its JSON and its type."""
    body, headers = answer.get("body"), answer.get("headers") or {}
    if isinstance(body, bytes):
        try:
            answer["body"] = body.decode()
        except UnicodeDecodeError:
            raise SettingError("a body of bytes is UTF-8 text") from None
    elif not isinstance(body, str | None):
        answer["body"] = json.dumps(_json_copy(body))
        if isinstance(headers, Mapping) and not any(
            str(name).lower() == "content-type" for name in headers
        ):
            answer["headers"] = JSON_HEADER | dict(headers)


def _requests(value: Any) -> Any:
    """Returns the text of a range of matches: ``range(1, 4)`` and ``(1, 3)`` are ``1-3``."""
    if isinstance(value, range) and value.step == 1 and value:
        return f"{value[0]}-{value[-1]}"
    if isinstance(value, list | tuple) and len(value) == 2:
        return f"{value[0]}-{value[1]}"
    return value


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
