"""Parses rules from plain data; every error has a path."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mockserver.errors import DataError
from mockserver.faults import kinds, parameters
from mockserver.faults.pages import ERROR_PAGES
from mockserver.faults.rules import (
    ANY_PROVIDER,
    RULES_SIZE_MAX,
    TOO_LARGE,
    Fault,
    FiringWindow,
    Rule,
    RuleMatch,
    matching_operations,
)
from mockserver.model.http import Response
from mockserver.model.provider import Provider
from mockserver.model.suggestions import choices, unknown
from mockserver.model.times import parse_duration
from mockserver.model.typed_data import at, convert

ANSWER_BODY_MAX = 1024 * 1024
NAMES_MAX = 64  # headers or parameters of one rule
TIMES_MAX = 10**9
SPAN_MAX = 366 * 24 * 3600 * 10**9
FRAMING = ("content-length", "transfer-encoding", "connection")  # set these by a delivery instead

RULE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_SPAN = re.compile(r"([0-9]{1,9})(-([0-9]{1,9})?)?")

Duration = str | int | float  # text, or seconds
KEYWORDS = {"from_": "from", "for_": "for"}


class FiringSpec(Struct, frozen=True, forbid_unknown_fields=True, rename=KEYWORDS):
    """Which of the matching requests a rule fires for; all members must hold.

    ``requests`` counts the matches, from 1: ``2``, ``1-3`` or ``5-``. Times are measured on the
    sandbox clock since the rule was set, or since the start of the current ``period``; outside
    them the rule matches nothing.
    """

    requests: str | int | None = None
    probability: float | None = None
    every: int | None = None
    times: int | None = None
    from_: Duration | None = None
    until: Duration | None = None
    for_: Duration | None = None
    period: Duration | None = None


class AnswerSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to give instead: a reject, a ready-made page, or a raw answer.

    ``variant`` names another text or status that a provider has for the reject,
    ``rejected_message`` is the message that it quotes.
    """

    reject: str | None = None
    variant: str | None = None
    rejected_message: str | None = None
    page: str | None = None
    status: int | None = None
    headers: dict[str, str] | None = None
    body: str | None = None
    body_base64: str | None = None


class RuleSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as it is written."""

    name: str
    match: RuleMatch = RuleMatch()
    when: FiringSpec = FiringSpec()
    answer: AnswerSpec | UnsetType = UNSET
    mutate: dict[str, Any] = {}
    deliver: dict[str, Any] = {}


class RuleParser:
    """Parses the rules of one scenario or call; they share a bound on their size."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self.providers = providers
        self._size = 0

    def parse(self, data: Any) -> Rule:
        """Parses a rule from plain data; raises DataError."""
        spec: RuleSpec = convert(data, RuleSpec)
        with at("name"):
            _check_name(spec.name)
        with at("match"):
            _check_match(spec.match, self.providers)
        with at("when"):
            window = _firing_window(spec.when)
        with at("answer"):
            reject, raw = _parse_answer(spec.answer, spec.match, self.providers)
            facts = _reject_facts(spec.answer, spec.match, self.providers)
        if spec.answer is not UNSET and spec.mutate:
            raise DataError("a rule has either answer or mutate, not both", ("mutate",))
        deliver = dict(spec.deliver)
        clock = deliver.pop("clock", "real") if "delay" in deliver else "real"
        if clock not in ("real", "sandbox"):
            raise DataError("clock is real or sandbox", ("deliver", "clock"))
        rule = Rule(
            spec.name,
            data,
            spec.match,
            window,
            reject,
            raw,
            _faults(kinds.MUTATIONS, "mutate", spec.mutate),
            _faults(kinds.DELIVERIES, "deliver", deliver),
            clock == "sandbox",
            facts,
        )
        if not (reject or raw or rule.mutations or rule.deliveries):
            raise DataError("a rule needs answer, mutate or deliver")
        self._size += rule.size
        if self._size > RULES_SIZE_MAX:
            raise DataError(TOO_LARGE)
        return rule


def _faults(group: str, member: str, values: Mapping[str, Any]) -> tuple[Fault, ...]:
    faults = []
    for name, value in values.items():
        with at(member, name):
            kind = kinds.find(group, name)
            source = f"{name}: {msgspec.json.encode(value).decode()}"
            faults.append(Fault(kind, kind.parse(value), source))
    return tuple(faults)


def _check_name(name: str) -> None:
    if not RULE_NAME.fullmatch(name):
        raise ValueError("a name has lower-case letters, digits, . _ -, and at most 64 characters")


def _check_match(match: RuleMatch, providers: Mapping[str, Provider]) -> None:
    if match.provider not in (ANY_PROVIDER, *providers):
        raise ValueError(unknown("provider", match.provider, providers, ", or *"))
    operations = matching_operations(match, providers)
    if not operations:
        matching = [p for p in providers.values() if match.provider in (ANY_PROVIDER, p.name)]
        known = ["balances", *(route.id for p in matching for route in p.routes)]
        raise ValueError(unknown("operation", str(match.operation), known))
    for text in (match.method, match.path, match.credential):
        _check_text(text)
    for texts in (match.header, match.query):
        _check_count(texts)
        for name, value in texts.items():
            _check_text(name)
            _check_text(value)
    if match.path:
        _check_path(match.path)
    if match.method:
        _check_method(match, operations, providers)


def _check_path(path: str) -> None:
    invalid = {*path.removesuffix("*")} & {*"*?# "}
    if path != ANY_PROVIDER and (invalid or not (path.startswith("/") and path.isascii())):
        raise ValueError(f"{path!r} is no path: it begins with /, has no query, and may end in *")


def _check_method(
    match: RuleMatch, operations: Mapping[str, list[str]], providers: Mapping[str, Provider]
) -> None:
    routes = [(name, route) for name in operations for route in providers[name].routes]
    methods = {route.method for name, route in routes if route.id in operations[name]}
    if not match.method.isupper() or (match.operation and match.method not in methods):
        raise ValueError(f"no method {match.method}: there are {', '.join(sorted(methods))}")


def _check_count(texts: Mapping[str, str]) -> None:
    if len(texts) > NAMES_MAX:
        raise ValueError(f"takes at most {NAMES_MAX} names")


def _check_text(text: str) -> None:
    parameters.check_length(text)
    if not text.isprintable():
        raise ValueError(f"{text!r} has characters that no request can have")


def _firing_window(when: FiringSpec) -> FiringWindow:
    first, last = _match_range(when.requests)
    begin, until, length, period = (
        None if text is None else _duration(text)
        for text in (when.from_, when.until, when.for_, when.period)
    )
    begin = begin or 0
    if until is not None and length is not None:
        raise ValueError("give until or for, not both")
    end = begin + length if length is not None else until
    if end is not None and end <= begin:
        raise ValueError("the rule ends before it begins")
    if period is not None and (end is None or end > period):
        raise ValueError("a period is at least as long as the time that it repeats")
    if when.probability is not None and not 0 <= when.probability <= 1:
        raise ValueError("probability is a number from 0 to 1")
    for name, count in (("every", when.every), ("times", when.times)):
        if count is not None and not 0 < count <= TIMES_MAX:
            raise ValueError(f"{name} is a whole number from 1 to {TIMES_MAX}")
    if last is not None and first + (when.every or 1) - 1 > last:
        raise ValueError(f"every: {when.every} can never fire within requests: {when.requests}")
    return FiringWindow(
        first, last, when.probability, when.every or 1, when.times, begin, end, period
    )


def _match_range(value: str | int | None) -> tuple[int, int | None]:
    if value is None:
        return 1, None
    parts = _SPAN.fullmatch(str(value))
    if parts:
        first, dash, last = int(parts[1]), parts[2], parts[3]
        end = int(last) if last else None if dash else first
        if first > 0 and (end is None or end >= first):
            return first, end
    raise ValueError(f"requests are counted from 1: write 2, 1-3 or 5-, not {value!r}")


def _duration(text: Duration) -> int:
    duration = parse_duration(text)
    if not 0 <= duration <= SPAN_MAX:
        raise ValueError(f"{text!r} is negative, or longer than a year")
    return duration


def _parse_answer(
    answer: AnswerSpec | UnsetType, match: RuleMatch, providers: Mapping[str, Provider]
) -> tuple[str, Response | None]:
    if answer is UNSET:
        return "", None
    raw = (answer.status, answer.headers, answer.body, answer.body_base64)
    forms = [answer.reject is not None, answer.page is not None, any(r is not None for r in raw)]
    if sum(forms) != 1:
        raise ValueError("give one of reject, page, or status with headers and body")
    if answer.reject is not None:
        _check_reason(answer.reject, matching_operations(match, providers), providers)
        return answer.reject, None
    if answer.page is not None:
        if answer.page not in ERROR_PAGES:
            raise ValueError(unknown("page", answer.page, ERROR_PAGES))
        return "", ERROR_PAGES[answer.page]
    return "", _raw(answer)


def _reject_facts(
    answer: AnswerSpec | UnsetType, match: RuleMatch, providers: Mapping[str, Provider]
) -> Mapping[str, str]:
    """Returns the facts that a rule's reject has beside its reason."""
    if answer is UNSET:
        return {}
    matching = [providers[name] for name in matching_operations(match, providers)]
    return _variant(answer, matching) | _rejected_message(answer, matching)


def _variant(answer: AnswerSpec, matching: Sequence[Provider]) -> dict[str, str]:
    if answer.variant is None:
        return {}
    if answer.reject is None:
        raise ValueError("variant is another form of a reject: give reject as well")
    variants = [provider.variants for provider in matching]
    known = set.intersection(*({*by_reason.get(answer.reject, ())} for by_reason in variants))
    if answer.variant not in known:
        raise ValueError(unknown(f"variant of {answer.reject}", answer.variant, sorted(known)))
    return {"variant": answer.variant}


def _rejected_message(answer: AnswerSpec, matching: Sequence[Provider]) -> dict[str, str]:
    if answer.rejected_message is None:
        return {}
    if answer.reject is None:
        raise ValueError("rejected_message is a part of a reject: give reject as well")
    known = set.intersection(*({*provider.rejects_quoting} for provider in matching))
    if answer.reject not in known:
        reasons = choices(answer.reject, sorted(known))
        raise ValueError(f"{answer.reject} has no rejected_message: {reasons}")
    answer.rejected_message.encode()  # raises UnicodeEncodeError, a ValueError, for half a pair
    return {"rejected_message": answer.rejected_message}


def _check_reason(reason: str, names: Iterable[str], providers: Mapping[str, Provider]) -> None:
    lacking = [name for name in names if reason not in providers[name].errors]
    if lacking:
        known = sorted(set.intersection(*(set(providers[n].errors) for n in names)))
        verb = "has" if len(lacking) == 1 else "have"
        message = f"{', '.join(lacking)} {verb} no reason {reason}: {choices(reason, known)}"
        raise ValueError(message)


def _raw(answer: AnswerSpec) -> Response:
    if answer.status is None or not 200 <= answer.status <= 599:
        raise ValueError("status is a number from 200 to 599")
    body = _raw_body(answer)
    if len(body) > ANSWER_BODY_MAX:
        raise ValueError(f"a body has at most {ANSWER_BODY_MAX} bytes")
    if body and answer.status in (204, 304):
        raise ValueError(f"a response with status {answer.status} has no body")
    headers = []
    _check_count(answer.headers or {})
    for name, value in (answer.headers or {}).items():
        if not _TOKEN.fullmatch(name) or name.lower() in FRAMING:
            raise ValueError(f"{name!r} is not a header that a raw answer may set")
        if not (value.isascii() and (value.isprintable() or not value)):
            raise ValueError(f"the header {name} takes printable ASCII in one line")
        parameters.check_length(value)
        headers.append((name.lower().encode(), value.encode()))
    return Response(answer.status, tuple(headers), body)


def _raw_body(answer: AnswerSpec) -> bytes:
    if answer.body_base64 is None:
        return (answer.body or "").encode()
    if answer.body is not None:
        raise ValueError("give body or body_base64, not both")
    try:
        return base64.b64decode(answer.body_base64, validate=True)
    except ValueError:
        raise ValueError("body_base64 is no base64") from None
