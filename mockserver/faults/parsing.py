"""Rules as they are written, and how they are read: every mistake with its line and path."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mockserver.faults import kinds
from mockserver.faults import parameters as takes
from mockserver.faults.pages import ERROR_PAGES
from mockserver.faults.rules import (
    BYTES_MAX,
    EVERY,
    TOO_LARGE,
    Fault,
    FiringWindow,
    Rule,
    RuleMatch,
    matching_operations,
)
from mockserver.files import strict_yaml
from mockserver.model.durations import parse_duration
from mockserver.model.http import Response
from mockserver.model.names import choices, unknown
from mockserver.model.provider import Provider

ANSWER_BODY_MAX = 1024 * 1024
NAMES_MAX = 64  # headers, or parameters, in one place
TIMES_MAX = 10**9
SPAN_MAX = 366 * 24 * 3600 * 10**9
FRAMING = ("content-length", "transfer-encoding", "connection")  # deliveries are for these

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_SPAN = re.compile(r"([0-9]{1,9})(-([0-9]{1,9})?)?")

DataPath = tuple[str | int, ...]


Duration = str | int | float  # text, or seconds
KEYWORDS = {"from_": "from", "for_": "for"}


class FiringSpec(Struct, frozen=True, forbid_unknown_fields=True, rename=KEYWORDS):
    """Which of the requests that match it fires for; everything said must hold.

    ``requests`` counts those that matched, from 1: ``2``, ``1-3`` or ``5-``. The times are
    counted on the sandbox clock from when the rule was set, anew in each ``period``; outside
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
    """What is answered instead: a refusal, a ready-made page, or a raw answer."""

    reject: str | None = None
    page: str | None = None
    status: int | None = None
    headers: dict[str, str] | None = None
    body: str | None = None


class RuleSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as it is written."""

    name: str
    match: RuleMatch = RuleMatch()
    when: FiringSpec = FiringSpec()
    answer: AnswerSpec | UnsetType = UNSET
    mutate: dict[str, Any] = {}
    deliver: dict[str, Any] = {}


class RuleParser:
    """Reads rules that stand in a text; raises Wrong with line and path."""

    def __init__(self, text: str, providers: Mapping[str, Provider]) -> None:
        self.text = text
        self.providers = providers
        self._size = 0

    def read(self, data: Any, place: DataPath) -> Rule:
        """Reads one rule."""
        written: RuleSpec = strict_yaml.convert(self.text, data, place, RuleSpec)
        with self._at(*place, "name"):
            _named(written.name)
        with self._at(*place, "match"):
            _known_match(written.match, self.providers)
        with self._at(*place, "when"):
            moments = _moments(written.when)
        with self._at(*place, "answer"):
            reject, raw = _answered(written.answer, written.match, self.providers)
        if written.answer is not UNSET and written.mutate:
            raise self._wrong((*place, "mutate"), "a rule answers, or changes a good answer")
        deliver = dict(written.deliver)
        clock = deliver.pop("clock", "real") if "delay" in deliver else "real"
        with self._at(*place, "deliver", "clock"):
            if clock not in ("real", "sandbox"):
                raise ValueError("clock is real or sandbox")
        rule = Rule(
            written.name,
            data,
            written.match,
            moments,
            reject,
            raw,
            self._faults(kinds.MUTATIONS, written.mutate, (*place, "mutate")),
            self._faults(kinds.DELIVERIES, deliver, (*place, "deliver")),
            clock == "sandbox",
        )
        if not (reject or raw or rule.mutations or rule.deliveries):
            raise self._wrong(place, "a rule does something: answer, mutate or deliver")
        self._size += rule.size
        if self._size > BYTES_MAX:
            raise self._wrong(place, TOO_LARGE)
        return rule

    def _faults(self, kind: str, given: Mapping[str, Any], place: DataPath) -> tuple[Fault, ...]:
        found = []
        for name, value in given.items():
            with self._at(*place, name):
                module = kinds.find(kind, name)
                said = f"{name}: {msgspec.json.encode(value).decode()}"
                found.append(Fault(kind, name, module, module.parse(value), said))
        return tuple(found)

    @contextmanager
    def _at(self, *place: str | int) -> Iterator[None]:
        """Gives what goes wrong inside its line and path."""
        try:
            yield
        except ValueError as error:
            raise self._wrong(place, str(error)) from None

    def _wrong(self, place: DataPath, what: str) -> strict_yaml.LocatedError:
        return strict_yaml.located_error(self.text, place, what)


def _named(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError("a name has small letters, digits, . _ -, and at most 64 of them")


def _known_match(match: RuleMatch, providers: Mapping[str, Provider]) -> None:
    if match.provider not in (EVERY, *providers):
        raise ValueError(unknown("provider", match.provider, providers, ", or *"))
    found = matching_operations(match, providers)
    if not found:
        named = [p for p in providers.values() if match.provider in (EVERY, p.name)]
        known = ["balances", *(route.id for p in named for route in p.routes)]
        raise ValueError(unknown("operation", str(match.operation), known))
    for text in (match.method, match.path, match.credential):
        _plain(text)
    for texts in (match.header, match.query):
        _few(texts)
        for name, value in texts.items():
            _plain(name)
            _plain(value)
    if match.path:
        _leading(match.path)
    if match.method:
        _known_method(match, found, providers)


def _leading(path: str) -> None:
    ends = {*path.removesuffix("*")} & {*"*?# "}
    if path != EVERY and (ends or not (path.startswith("/") and path.isascii())):
        raise ValueError(f"{path!r} is no path: it begins with /, has no query, and * ends it")


def _known_method(
    match: RuleMatch, found: Mapping[str, list[str]], providers: Mapping[str, Provider]
) -> None:
    routes = [(name, route) for name in found for route in providers[name].routes]
    methods = {route.method for name, route in routes if route.id in found[name]}
    if not match.method.isupper() or (match.operation and match.method not in methods):
        raise ValueError(f"no method {match.method}: there are {', '.join(sorted(methods))}")


def _few(texts: Mapping[str, str]) -> None:
    if len(texts) > NAMES_MAX:
        raise ValueError(f"takes at most {NAMES_MAX} names")


def _plain(text: str) -> None:
    takes.short(text)
    if not text.isprintable():
        raise ValueError(f"{text!r} has characters that no request has")


def _moments(when: FiringSpec) -> FiringWindow:
    first, last = _span(when.requests)
    begin, until, length, period = (
        None if text is None else _time(text)
        for text in (when.from_, when.until, when.for_, when.period)
    )
    begin = begin or 0
    if until is not None and length is not None:
        raise ValueError("until or for: not both")
    end = begin + length if length is not None else until
    if end is not None and end <= begin:
        raise ValueError("it is over before it begins")
    if period is not None and (end is None or end > period):
        raise ValueError("a period is as long as what is repeated, or longer")
    if when.probability is not None and not 0 <= when.probability <= 1:
        raise ValueError("a probability lies between 0 and 1")
    for name, count in (("every", when.every), ("times", when.times)):
        if count is not None and not 0 < count <= TIMES_MAX:
            raise ValueError(f"{name} is a whole number from 1 to {TIMES_MAX}")
    if last is not None and first + (when.every or 1) - 1 > last:
        raise ValueError("of so few requests none is one of every so many")
    return FiringWindow(
        first, last, when.probability, when.every or 1, when.times, begin, end, period
    )


def _span(given: str | int | None) -> tuple[int, int | None]:
    if given is None:
        return 1, None
    found = _SPAN.fullmatch(str(given))
    if found:
        first, dash, last = int(found[1]), found[2], found[3]
        end = int(last) if last else None if dash else first
        if first > 0 and (end is None or end >= first):
            return first, end
    raise ValueError(f"requests are counted from 1: write 2, 1-3 or 5-, not {given!r}")


def _time(text: Duration) -> int:
    duration = parse_duration(text)
    if not 0 <= duration <= SPAN_MAX:
        raise ValueError(f"{text!r} is negative, or longer than a year")
    return duration


def _answered(
    answer: AnswerSpec | UnsetType, match: RuleMatch, providers: Mapping[str, Provider]
) -> tuple[str, Response | None]:
    if answer is UNSET:
        return "", None
    raw = (answer.status, answer.headers, answer.body)
    given = [answer.reject is not None, answer.page is not None, any(r is not None for r in raw)]
    if sum(given) != 1:
        raise ValueError("an answer is reject, or page, or status with headers and body")
    if answer.reject is not None:
        _known_reason(answer.reject, matching_operations(match, providers), providers)
        return answer.reject, None
    if answer.page is not None:
        if answer.page not in ERROR_PAGES:
            raise ValueError(f"no page {answer.page}: there are {', '.join(ERROR_PAGES)}")
        return "", ERROR_PAGES[answer.page]
    return "", _raw(answer)


def _known_reason(reason: str, names: Iterable[str], providers: Mapping[str, Provider]) -> None:
    lacking = [name for name in names if reason not in providers[name].errors]
    if lacking:
        known = sorted(set.intersection(*(set(providers[n].errors) for n in names)))
        raise ValueError(f"{', '.join(lacking)} never says {reason}: {choices(reason, known)}")


def _raw(answer: AnswerSpec) -> Response:
    if answer.status is None or not 200 <= answer.status <= 599:
        raise ValueError("status is a number from 200 to 599")
    body = (answer.body or "").encode()
    if len(body) > ANSWER_BODY_MAX:
        raise ValueError(f"a body has at most {ANSWER_BODY_MAX} bytes")
    if body and answer.status in (204, 304):
        raise ValueError(f"an answer of {answer.status} has no body")
    headers = []
    _few(answer.headers or {})
    for name, value in (answer.headers or {}).items():
        if not _TOKEN.fullmatch(name) or name.lower() in FRAMING:
            raise ValueError(f"{name!r} is no header that an answer may be given")
        if not (value.isascii() and (value.isprintable() or not value)):
            raise ValueError(f"the header {name} takes printable ASCII in one line")
        takes.short(value)
        headers.append((name.lower().encode(), value.encode()))
    return Response(answer.status, tuple(headers), body)
