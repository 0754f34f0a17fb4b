"""The card of a client: everything that the reports show, redacted and bounded."""

import platform
import shlex
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from mockserver.certify import scoring
from mockserver.certify.clients import Client
from mockserver.certify.model import Check, Result
from mockserver.certify.scoring import Fraction, Requirements
from mockserver.client.journal import JournalEntry
from mockserver.version import __version__

SHOWN_MAX = 2_000  # characters of one text of a client or the journal
REQUESTS_MAX = 12  # journal entries of one check


class ClientInfo(Struct, frozen=True):
    """What was certified; ``digest`` is a hash of its code."""

    name: str
    digest: str
    provider: str


class Versions(Struct, frozen=True):
    """What certified it."""

    mockserver: str
    python: str
    system: str


class Exchange(Struct, frozen=True):
    """One request of a failed check and its answer."""

    n: int
    time: str
    request: str
    status: int
    reason: str
    fault: str
    answer: str
    explanation: str


class CheckReport(Struct, frozen=True, kw_only=True):
    """One check in the card; ``evidence`` is what is wrong, empty for a pass."""

    id: str
    level: str
    verdict: str
    about: str
    why: str
    fix: str
    source: str
    evidence: str
    scores: bool
    seconds: float
    command: str
    client: str
    requests: list[Exchange]


class Card(Struct, frozen=True, kw_only=True):
    """The result of a certification; ``passed`` says whether every scoring ``must`` passed."""

    client: ClientInfo
    passed: bool
    score: Fraction
    reached: Fraction
    requirements: str
    seed: int
    versions: Versions
    date: str
    seconds: float
    checks: list[CheckReport]

    def data(self) -> Any:
        """Returns the card as plain data."""
        return msgspec.to_builtins(self)

    def json(self) -> bytes:
        """Returns the card as JSON text."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def card(
    results: list[Result],
    client: Client,
    provider: str,
    requirements: Requirements,
    seed: int,
    seconds: float,
) -> Card:
    """Returns the card of a run."""
    words = ["mockserver", "certify", "--provider", provider, "--seed", str(seed)]
    how = f"-- {client.name}" if client.rehearses else "--wait"
    return Card(
        client=ClientInfo(printable(client.name), client.digest, provider),
        passed=scoring.passed(results),
        score=scoring.score(results),
        reached=scoring.reached(results),
        requirements=requirements.date,
        seed=seed,
        versions=Versions(__version__, platform.python_version(), platform.platform()),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 1),
        checks=[_report(result, words, how) for result in results],
    )


def _report(result: Result, words: list[str], how: str) -> CheckReport:
    check: Check = result.check
    shown = result.verdict != "pass"
    command = f"{shlex.join([*words, '--only', check.id])} {how}"
    return CheckReport(
        id=check.id,
        level=check.level,
        verdict=result.verdict,
        about=check.about,
        why=check.why,
        fix=check.fix,
        source=check.source,
        evidence=printable(result.complaint),
        scores=result.scores,
        seconds=round(result.outcome.seconds, 3),
        command=printable(command),
        client=printable(_said(result)) if shown else "",
        requests=[_exchange(entry) for entry in result.journal[:REQUESTS_MAX]] if shown else [],
    )


def _said(result: Result) -> str:
    """Returns how the client ended, and what it wrote."""
    outcome = result.outcome
    if outcome.rows is not None:
        return f"{len(outcome.rows)} rows\n{outcome.output}"
    return outcome.output if outcome.problem else outcome.error


def _exchange(entry: JournalEntry) -> Exchange:
    explanation = entry.explanation
    return Exchange(
        n=entry.n,
        time=entry.time,
        request=printable(f"{entry.method} {entry.target}"),
        status=entry.status,
        reason=entry.reason,
        fault=", ".join(filter(None, (entry.fault, entry.delivery))),
        answer=printable(str(entry.response.get("body", ""))),
        explanation=f"{explanation['rule']}: {explanation['fix']}" if explanation else "",
    )


def printable(text: str) -> str:
    """Returns a text of bounded length, control characters escaped."""
    more = len(text) - SHOWN_MAX
    text = text[:SHOWN_MAX] + (f"... {more} more characters" if more > 0 else "")
    text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)
