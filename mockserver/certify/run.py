"""Runs the checks: a fresh sandbox for each, several at once, and a verdict."""

import json
import os
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from mockserver.certify import rows as client_rows
from mockserver.certify.checks import CHECKS
from mockserver.certify.clients import STOP_AFTER, Client
from mockserver.certify.clients.function import streams_of_threads
from mockserver.certify.judges import gist, redacted, refusal_first
from mockserver.certify.load import Load
from mockserver.certify.model import (
    EXPECTED_FAILURE,
    FAIL,
    HARNESS_ERROR,
    MUST,
    NOT_APPLICABLE,
    PASS,
    SKIPPED,
    TOO_SLOW,
    WARNING,
    Check,
    Evidence,
    NotApplicable,
    Outcome,
    Result,
    Stage,
)
from mockserver.certify.scoring import Requirements
from mockserver.errors import UnusableClient
from mockserver.model.provider import Provider

FIRST = next(check for check in CHECKS if check.id == "documented-example")
REPORT = "this is a fault of the suite, please report it"
JOURNAL_MAX = 30  # entries that a result keeps
HEAVY = 1  # seconds of a plain run that hardly waits: the client is busy itself
KEPT_MAX = 20_000  # characters of each text of a client that a result keeps


class Options(Struct, frozen=True, kw_only=True):
    """How to run: ``time_limit`` is in seconds for each run of the client."""

    provider: str
    requirements: Requirements
    seed: int = 490
    time_limit: float = 20
    skip: Mapping[str, str] = {}
    expected: Mapping[str, str] = {}
    fail_fast: bool = False
    load: Callable[[], Load] = Load


class Suite:
    """The checks of one client against one server."""

    def __init__(self, server: Any, client: Client, options: Options) -> None:
        self._server, self._client, self._options = server, client, options
        self._stop = threading.Event()

    def run(
        self, checks: list[Check], progress: Callable[[Result], None] = lambda _: None
    ) -> list[Result]:
        """Runs checks and returns their results in order; raises UnusableClient.

        The documented example runs first, selected or not: a client that does not take part at
        all is wrong use, with one line, and not a failure of every check. A person is not asked
        for a run more.
        """
        with streams_of_threads():
            rehearsal = FIRST if self._client.rehearses or FIRST in checks else checks[0]
            first = self._result(self._with_level(rehearsal))
            if rehearsal is FIRST:
                _require_participation(first)
            with ThreadPoolExecutor(self._workers(first.outcome)) as pool:
                futures = [pool.submit(self._graded, check, first) for check in checks]
                results = []
                for future in futures:
                    results.append(future.result())
                    progress(results[-1])
        return results

    def _workers(self, first: Outcome) -> int:
        """Returns how many runs at once: no more than processors for a client that needs one."""
        heavy = first.seconds > HEAVY
        return min(self._client.workers, os.cpu_count() or 1) if heavy else self._client.workers

    def _with_level(self, check: Check) -> Check:
        """Returns a check with the level that it has in the set."""
        return replace(check, level=self._options.requirements.levels.get(check.id, check.level))

    def _graded(self, check: Check, first: Result) -> Result:
        """Returns the result of a check with expectations and set applied."""
        scores = check.id in self._options.requirements.levels
        check = self._with_level(check)
        if check.id in self._options.skip:
            reason = self._options.skip[check.id]
            return Result(check=check, verdict=SKIPPED, complaint=reason, scores=scores)
        if self._stop.is_set():
            reason = "an earlier check failed (--fail-fast)"
            return Result(check=check, verdict=SKIPPED, complaint=reason, scores=scores)
        result = first if check.id == first.check.id else self._result(check)
        result = replace(result, scores=scores)
        if result.verdict == FAIL and check.id in self._options.expected:
            return replace(result, verdict=EXPECTED_FAILURE)
        if result.verdict == FAIL and scores and self._options.fail_fast:
            self._stop.set()
        return result

    def _result(self, check: Check) -> Result:
        """Runs one check; a fault of the suite is a harness error, not the client's."""
        load = self._options.load()
        try:
            result = self._run(check)
            doubtful = result.verdict in (FAIL, WARNING) and self._client.rehearses
            if doubtful and load.is_high():
                busy = f"{load.share():.0%} of the processor time was in use"
                return self._doubted(result, busy)
        except UnusableClient:
            raise
        except Exception as error:
            lines = traceback.format_exception(error)
            return Result(
                check=check,
                verdict=HARNESS_ERROR,
                complaint=f"{type(error).__name__}: {error}; {REPORT}\n{''.join(lines[-3:])}",
            )
        return result

    def _doubted(self, result: Result, busy: str) -> Result:
        """Returns a failure under high load as it is if a second run agrees.

        A client that used up its time is not waited for again.
        """
        if result.outcome.stopped != "time":
            again = self._run(result.check)
            if again.verdict == result.verdict and again.outcome.stopped != "time":
                return result
        complaint = f"{busy}: {result.complaint}"
        return replace(result, verdict=TOO_SLOW, complaint=complaint)

    def _run(self, check: Check) -> Result:
        """Runs the client in a sandbox of its own, and judges."""
        scene, provider = check.scene, self._options.provider
        quirks = {k: v for k, v in scene.quirks.items() if k.startswith(f"{provider}.")}
        sandbox = self._server.sandbox(seed=self._options.seed, quirks=quirks, limits="off")
        try:
            handle = sandbox.provider(provider)
            if scene.rows is not None:
                handle.set_balances(scene.account, scene.rows(provider))
            expected = client_rows.from_ledger(handle.balances(scene.account), provider)
            for rule in _rules(check, handle.base_url, provider):
                handle.fail(check.id, **rule)
            if scene.skew:
                sandbox.clock.skew(scene.skew)
            stage = Stage(
                provider=provider,
                base_url=handle.base_url,
                credentials={k: v for k, v in handle.credentials.items() if k != "accounts"},
                account=_account(handle, scene.account),
                check=check.id,
                time_limit=self._options.time_limit,
                sleep=sandbox.sleep,
                filters=dict(scene.filters.get(provider, {})),
            )
            outcomes = self._outcomes(stage, sandbox, scene.runs)
            evidence = Evidence(
                provider=provider,
                outcomes=outcomes,
                journal=sandbox.journal,
                expected=expected,
                secrets=tuple(_secrets(handle.credentials, handle.provider)),
            )
        finally:
            self._server.drop(sandbox)
        return _judged(check, evidence)

    def _outcomes(self, stage: Stage, sandbox: Any, runs: int) -> list[Outcome]:
        """Runs the client, several times at once where the check says so."""

        def requests() -> int:
            return int(sandbox.verify(provider=stage.provider, at_least=0))

        if runs == 1:
            return [self._client.run(stage, requests)]
        with ThreadPoolExecutor(runs) as pool:
            return list(pool.map(lambda _: self._client.run(stage, requests), range(runs)))


def _rules(check: Check, base_url: str, provider: str) -> list[dict[str, Any]]:
    """Returns the keywords of a check's rules, with the base URL under another host name."""
    rules = check.scene.rules_for.get(provider, check.scene.rules)
    parts = urlsplit(base_url)
    elsewhere = parts._replace(netloc=f"localhost:{parts.port}").geturl() + "/v1/balances"
    text = json.dumps(list(rules)).replace("{elsewhere}", elsewhere)
    return json.loads(text)  # type: ignore[no-any-return]


def _account(handle: Any, label: str) -> str:
    """Returns the id of an account for CDP, whose paths have it; else an empty text."""
    accounts = handle.credentials.get("accounts")
    return str(accounts[label]) if isinstance(accounts, Mapping) else ""


def _secrets(credentials: Mapping[str, Any], provider: Provider) -> list[str]:
    """Returns the secret texts of a credential; a key beside a secret text may be printed."""
    names = provider.members if provider.secrets.values is None else provider.secrets.values
    beside = [name for name in names if name not in (provider.key, "account")]
    alone = not any(isinstance(credentials[name], str) for name in beside)
    values = [credentials[name] for name in (*((provider.key,) if alone else ()), *beside)]
    texts = [t for v in values for t in (v.values() if isinstance(v, Mapping) else (v,))]
    return [text.strip() for text in texts if text.strip()]


def _judged(check: Check, evidence: Evidence) -> Result:
    """Returns the verdict of the first judge that finds something wrong."""
    complaint, verdict = "", PASS
    try:
        complaint = _complaint_of_form(evidence)
        for judge in () if complaint else check.judges:
            complaint = judge(evidence)
            if complaint:
                break
        if complaint:
            complaint = refusal_first(complaint, evidence.journal)
            verdict = FAIL if check.level == MUST else WARNING
    except NotApplicable as reason:
        verdict, complaint = NOT_APPLICABLE, str(reason)
    journal = evidence.journal
    if len(journal) > JOURNAL_MAX:
        journal = [*journal[: JOURNAL_MAX // 2], *journal[-JOURNAL_MAX // 2 :]]
    return Result(
        check=check,
        verdict=verdict,
        complaint=redacted(complaint, evidence.secrets),
        outcome=_without_secrets(evidence.outcome, evidence.secrets),
        journal=journal,
    )


def _without_secrets(outcome: Outcome, secrets: tuple[str, ...]) -> Outcome:
    """Returns an outcome that a report may show: its texts bounded, secrets replaced."""
    texts = {
        name: redacted(getattr(outcome, name), secrets)[:KEPT_MAX]
        for name in ("error", "output", "error_output")
    }
    return replace(outcome, **texts)


def _complaint_of_form(evidence: Evidence) -> str:
    """Returns what is wrong with the end of a run or the form of its output."""
    for outcome in evidence.outcomes:
        if not outcome.known:
            raise NotApplicable("no result was given")
        if outcome.stopped == "time":
            return f"the client was still running after {outcome.seconds:.1f} s, and was ended"
        if outcome.stopped == "requests":
            return f"the client sent more than {STOP_AFTER} requests, and was ended"
        if outcome.problem:
            return outcome.problem
    return "" if evidence.journal else _unread(evidence.outcome)


def _require_participation(first: Result) -> None:
    """Raises UnusableClient for a client that does not do what the documentation page says."""
    outcome = first.outcome
    if first.verdict == HARNESS_ERROR or not outcome.known:
        return
    if outcome.problem:
        raise UnusableClient(outcome.problem)
    if first.journal or outcome.stopped:
        return
    raise UnusableClient(_unread(outcome))


def _unread(outcome: Outcome) -> str:
    """Describes how a client ended that sent no request."""
    ended = outcome.rows is None
    end = f"ended with {gist(outcome.error)!r}" if ended else "returned rows at once"
    return f"the client sent no request to MOCKSERVER_BASE_URL (base_url); it {end}"
