"""Rules and scenarios as Python callers write them, turned into what files say."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mockserver.faults.parsing import KEYWORDS, AnswerSpec, FiringSpec
from mockserver.faults.rules import RuleMatch
from mockserver.files import scenarios
from mockserver.model.names import choices
from mockserver.model.time_values import spelled

WORDS = KEYWORDS  # `from` and `for` are words of Python's own
MATCH = RuleMatch.__struct_fields__
WHEN = tuple(WORDS.get(name, name) for name in FiringSpec.__struct_fields__)
ANSWER = AnswerSpec.__struct_fields__
WHOLE = ("mutate", "deliver")


def fail(
    call: Callable[..., Any], match: Mapping[str, str], name: str | None, given: Mapping[str, Any]
) -> str:
    """Sets a rule made of keywords; returns its name, which depends on what it says."""
    rule = written(match, given)
    rule["name"] = _plain(name) or _name(rule)
    call("POST", "/faults", rule)
    return str(rule["name"])


def written(match: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns keywords as a rule, without a name; raises ValueError for an unknown one."""
    rule: dict[str, Any] = {"match": dict(match)}
    for keyword, value in given.items():
        word = WORDS.get(keyword, keyword)
        if word in WHOLE:
            rule[word] = value
            continue
        homes = (("match", MATCH), ("when", WHEN), ("answer", ANSWER))
        home = next((home for home, words in homes if word in words), None)
        if home is None:
            known = (*MATCH, *WHEN, *ANSWER, *WHOLE)
            raise ValueError(f"a rule has no {keyword}: {choices(keyword, known)}")
        if word in rule.get(home, {}):
            raise ValueError(f"{word} is given already: {rule[home][word]!r}")
        rule.setdefault(home, {})[word] = value
    plain: dict[str, Any] = _plain(rule)
    return plain


def _plain(data: Any) -> Any:
    """Returns a copy of what JSON can say, the same over HTTP and in process."""
    try:
        return json.loads(json.dumps(spelled(data), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"a rule is made of what JSON can say: {error}") from None


def _name(rule: Mapping[str, Any]) -> str:
    text = json.dumps(rule, sort_keys=True)
    return "fail-" + hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def scenario_wish(scenario: str | Path | Mapping[str, Any] | None) -> Any:
    """Returns a scenario as the control API takes it: its name, or its data."""
    if isinstance(scenario, str) and scenario in scenarios.shipped():
        return {"name": scenario}
    if isinstance(scenario, str | Path):
        scenario = scenarios.data(scenarios.find(str(scenario)))
    return _plain(scenario)
