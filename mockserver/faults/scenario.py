"""A scenario: rules that belong together, and the settings under which they play."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from mockserver.engine.clock import ADVANCE_MAX
from mockserver.faults.matching import RULES_MAX
from mockserver.faults.rules import Rule
from mockserver.files import strict_yaml
from mockserver.model.durations import parse_duration
from mockserver.model.provider import Provider

TEXT_MAX = 1_000


class Scenario(Struct, frozen=True):
    """What plays: rules, quirks and limits, and a skew of the auth clock in nanoseconds.

    Without a skew the clock stays as it is. ``about`` says what happens, ``client`` what a
    good client does.
    """

    name: str
    about: str = ""
    client: str = ""
    rules: tuple[Rule, ...] = ()
    quirks: Mapping[str, str] = {}
    limits: Mapping[str, str] = {}
    skew: int | None = None


class ScenarioSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario as it is written."""

    name: str = ""
    about: str = ""
    client: str = ""
    rules: list[dict[str, Any]] = []
    quirks: dict[str, str | int | float | bool] = {}
    limits: dict[str, str | int | float | bool] = {}
    skew: str | int | float | None = None


def read(text: str, data: Any, name: str, providers: Mapping[str, Provider]) -> Scenario:
    """Reads plain data, which stands in ``text``; raises Wrong with line and path.

    Its quirks and limits are returned as they are written, and not checked.
    """
    from mockserver.faults.parsing import NAME

    written: ScenarioSpec = strict_yaml.convert(text, data, (), ScenarioSpec)
    called = written.name or name
    if not NAME.fullmatch(called):
        raise strict_yaml.located_error(text, ("name",), "a name has small letters, digits, . _ -")
    for place, told in (("about", written.about), ("client", written.client)):
        if len(told) > TEXT_MAX or not told.replace("\n", " ").isprintable():
            raise strict_yaml.located_error(
                text, (place,), f"is plain text of at most {TEXT_MAX} letters"
            )
    try:
        skew = _skew(written.skew)
    except ValueError as error:
        raise strict_yaml.located_error(text, ("skew",), str(error)) from None
    if not (written.rules or written.quirks or written.limits or skew is not None):
        raise strict_yaml.located_error(
            text, (), "nothing to play: give rules, quirks, limits or skew"
        )
    rules = _rules(text, written.rules, providers)
    about, client = " ".join(written.about.split()), " ".join(written.client.split())
    quirks: Any = written.quirks
    limits: Any = written.limits
    return Scenario(called, about, client, rules, quirks, limits, skew)


def _skew(text: str | float | None) -> int | None:
    if text is None:
        return None
    skew = parse_duration(text)
    if abs(skew) > ADVANCE_MAX:
        raise ValueError("skew takes a duration of at most 100 years, either way")
    return skew


def _rules(
    text: str, written: list[dict[str, Any]], providers: Mapping[str, Provider]
) -> tuple[Rule, ...]:
    from mockserver.faults.parsing import RuleParser

    if len(written) > RULES_MAX:
        raise strict_yaml.located_error(
            text, ("rules",), f"a scenario has at most {RULES_MAX} rules"
        )
    reader, rules, seen = RuleParser(text, providers), [], set()
    for n, data in enumerate(written):
        rule = reader.read(data, ("rules", n))
        if rule.name in seen:
            raise strict_yaml.located_error(
                text, ("rules", n, "name"), f"{rule.name} is there already"
            )
        seen.add(rule.name)
        rules.append(rule)
    return tuple(rules)
