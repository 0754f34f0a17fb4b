"""A scenario: rules that belong together, and the settings that they need."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from mockserver.errors import DataError
from mockserver.faults.matching import RULES_MAX
from mockserver.faults.rules import Rule
from mockserver.faults.tls import TlsFault
from mockserver.model.provider import Provider
from mockserver.model.times import CENTURY, parse_duration
from mockserver.model.typed_data import at, convert

TEXT_MAX = 1_000


class Scenario(Struct, frozen=True):
    """Rules, quirks, limits, and a skew of the auth clock in nanoseconds (None: unchanged).

    ``about`` describes what happens, ``client`` what a good client does. ``tls_fault`` is for the
    sandbox ``default`` only: it disturbs the handshakes of the whole server.
    """

    name: str
    about: str = ""
    client: str = ""
    rules: tuple[Rule, ...] = ()
    quirks: Mapping[str, str] = {}
    limits: Mapping[str, str] = {}
    skew: int | None = None
    tls_fault: TlsFault | None = None


class ScenarioSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario as it is written."""

    name: str = ""
    about: str = ""
    client: str = ""
    rules: list[dict[str, Any]] = []
    quirks: dict[str, str | int | float | bool] = {}
    limits: dict[str, str | int | float | bool] = {}
    skew: str | int | float | None = None
    tls_fault: TlsFault | None = None


def parse(data: Any, name: str, providers: Mapping[str, Provider]) -> Scenario:
    """Parses plain data; raises DataError. ``name`` is for a scenario without one.

    Quirks and limits are returned as written, unchecked.
    """
    from mockserver.faults.parsing import RULE_NAME

    spec: ScenarioSpec = convert(data, ScenarioSpec)
    name = spec.name or name
    if not RULE_NAME.fullmatch(name):
        raise DataError("use lower-case letters, digits, . _ -", ("name",))
    for member, value in (("about", spec.about), ("client", spec.client)):
        if len(value) > TEXT_MAX or not value.replace("\n", " ").isprintable():
            raise DataError(f"is plain text of at most {TEXT_MAX} characters", (member,))
    with at("skew"):
        skew = _skew(spec.skew)
    if not (spec.rules or spec.quirks or spec.limits or spec.tls_fault or skew is not None):
        raise DataError("nothing to play: give rules, quirks, limits, skew or tls_fault")
    rules = _rules(spec.rules, providers)
    about, client = " ".join(spec.about.split()), " ".join(spec.client.split())
    quirks: Any = spec.quirks
    limits: Any = spec.limits
    return Scenario(name, about, client, rules, quirks, limits, skew, spec.tls_fault)


def _skew(text: str | float | None) -> int | None:
    if text is None:
        return None
    skew = parse_duration(text)
    if abs(skew) > CENTURY:
        raise ValueError("skew takes a duration of at most 100 years, either way")
    return skew


def _rules(specs: list[dict[str, Any]], providers: Mapping[str, Provider]) -> tuple[Rule, ...]:
    from mockserver.faults.parsing import RuleParser

    if len(specs) > RULES_MAX:
        raise DataError(f"a scenario has at most {RULES_MAX} rules", ("rules",))
    parser, rules, names = RuleParser(providers), [], set()
    for n, data in enumerate(specs):
        with at("rules", n):
            rule = parser.parse(data)
        if rule.name in names:
            raise DataError(f"there are two rules {rule.name}", ("rules", n, "name"))
        names.add(rule.name)
        rules.append(rule)
    return tuple(rules)
