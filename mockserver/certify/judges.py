"""Judges: each looks at the evidence of a check and returns what is wrong, or an empty text."""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

from mockserver.certify.model import Evidence, Judge, NotApplicable, Outcome, Row
from mockserver.certify.rows import difference
from mockserver.client.journal import JournalEntry

# What carries a credential in a request: headers, names in a target or a body.
CREDENTIAL_HEADERS = ("authorization", "x-coinapi-key", "x-api-key", "x-cpg-key", "x-cpg-signature")
CREDENTIAL_NAMES = re.compile(r"(apikey|api_key|sign)=|connectionFields", re.IGNORECASE)
SIGNATURES = ("x-cpg-signature", "authorization")
ERROR_LINE = re.compile(r"[\w.]*(Error|Exception)\b")
LIMITED = 429
REFUSED = "request {0.n} was refused as {0.reason}"


def _returned(outcome: Outcome) -> str:
    """Describes what a client returned in place of an error."""
    rows = outcome.rows or []
    return f"the client returned {len(rows)} rows" if rows else "the client shows an empty account"


def _ended(outcome: Outcome) -> str:
    """Describes how a client ended without rows."""
    return f"the client ended with an error: {gist(outcome.error)!r}"


def gist(error: str) -> str:
    """Returns the line of an error that names it: of a traceback, of a stack, or the last one."""
    lines = [line.strip() for line in error.splitlines() if line.strip()] or ["no message"]
    named = [line for line in lines if ERROR_LINE.match(line)]
    return (named or lines)[-1][:300]


def exact(e: Evidence) -> str:
    """Every run returned exactly the rows of the account."""
    for outcome in e.outcomes:
        if outcome.rows is None:
            return _ended(outcome)
        wrong = difference(outcome.rows, e.expected, e.provider)
        if wrong:
            return wrong
    return ""


def error(e: Evidence) -> str:
    """Every run ended with an error, not with rows or an empty account."""
    for outcome in e.outcomes:
        if outcome.rows is not None:
            return f"{_returned(outcome)}, exit status 0, where an error was expected"
    return ""


def exact_or_error(e: Evidence) -> str:
    """Every run returned exactly the rows, or an error: never wrong rows."""
    for outcome in e.outcomes:
        if outcome.rows is not None:
            wrong = difference(outcome.rows, e.expected, e.provider)
            if wrong:
                return f"{_returned(outcome)}: {wrong}"
    return ""


def nothing_invented(e: Evidence) -> str:
    """A row whose amount is absent is shown as an error or left out, not as an amount."""
    for row in e.outcome.rows or []:
        if not any(_same(row, known) for known in e.expected):
            return f"the client shows {row.name} as {row.total}, which was not in the response"
    return ""


def _same(row: Row, known: Row) -> bool:
    return row.names <= known.names and row.total == known.total


def main_reads(e: Evidence) -> list[JournalEntry]:
    """Returns the requests to the provider's main read, and those that no operation matches."""
    polls = ("get-exchange-sync-status",)
    return [entry for entry in e.journal if entry.operation not in polls]


def at_most(count: int) -> Judge:
    """Returns a judge of the number of requests to the main read."""

    def judge(e: Evidence) -> str:
        sent = len(main_reads(e)) / len(e.outcomes)
        if sent <= count:
            return ""
        return f"the client sent {sent:g} requests, at most {count} were expected"

    return judge


def polls_at_most(count: int) -> Judge:
    """Returns a judge of the number of status polls; not applicable without any."""

    def judge(e: Evidence) -> str:
        polls = len(e.journal) - len(main_reads(e))
        if not polls:
            raise NotApplicable("the client does not poll the status")
        return "" if polls <= count else f"the client polled {polls} times, at most {count}"

    return judge


def waited(seconds: float, *reasons: str) -> Judge:
    """Returns a judge of the pause after a 429, and after a refusal with one of these reasons.

    The pause is measured on the sandbox clock. Without a retry there is nothing to judge.
    """

    def judge(e: Evidence) -> str:
        for before, after in pairwise(main_reads(e)):
            pause = (_time(after) - _time(before)).total_seconds()
            if pause < seconds and (before.status == LIMITED or before.reason in reasons):
                return (
                    f"request {after.n} came {pause:.3f} s after the {before.status} of request"
                    f" {before.n}, at least {seconds:g} s were expected"
                )
        return ""

    return judge


def _time(entry: JournalEntry) -> datetime:
    """Returns an entry's sandbox time; its digits below a microsecond are cut."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$", r"\1+00:00", entry.time))


def says(*words: str) -> Judge:
    """Returns a judge that looks for one of these words in the client's error."""

    def judge(e: Evidence) -> str:
        text = e.outcome.text.casefold()
        if any(word.casefold() in text for word in words):
            return ""
        return f"the error names none of {', '.join(words)}: {gist(e.outcome.error)!r}"

    return judge


def says_reason(e: Evidence) -> str:
    """The error contains the API's message or code, or the HTTP status."""
    refused = [entry for entry in e.journal if entry.status >= 400 or entry.reason]
    if not refused:
        raise NotApplicable("no request was refused")
    body = str(refused[-1].response.get("body", ""))
    words = re.findall(r'"(?:errorMessage|errorType|message|msg|error|code)": ?"?([^",}]+)', body)
    return says(*[word for word in words if len(word) > 1], str(refused[-1].status))(e)


def never(reason: str, why: str) -> Judge:
    """Returns a judge that looks for a refusal with this reason in the journal."""

    def judge(e: Evidence) -> str:
        for entry in e.journal:
            if entry.reason == reason:
                return _refusal(entry, f", {why}")
        return ""

    return judge


def fresh_signatures(e: Evidence) -> str:
    """No two requests carry the same signature."""
    first: dict[str, int] = {}
    for entry in e.journal:
        headers = entry.request["headers"]
        signature = next((headers[name] for name in SIGNATURES if name in headers), None)
        if signature is None:
            continue
        if signature in first:
            return f"request {entry.n} repeats the signature of request {first[signature]}"
        first[signature] = entry.n
    return ""


def reached_last_page(e: Evidence) -> str:
    """Rows were returned only after a page without a next page, or an error."""
    if e.outcome.rows is None:
        return ""
    last = str(e.journal[-1].response.get("body", "")) if e.journal else ""
    if '"nextPageToken":"' in last.replace('"nextPageToken":""', ""):
        return f"the client stopped after {len(e.journal)} pages, the last has a next page"
    return ""


def sent(header_or_parameter: str) -> Judge:
    """Returns a judge that is not applicable unless a request has this parameter."""

    def judge(e: Evidence) -> str:
        if not any(f"{header_or_parameter}=" in entry.target for entry in e.journal):
            raise NotApplicable(f"the client sends no {header_or_parameter}")
        return ""

    return judge


def accepted(e: Evidence) -> str:
    """No request was refused."""
    for entry in e.journal:
        if entry.reason:
            return _refusal(entry)
    return ""


def refusal_first(complaint: str, journal: list[JournalEntry]) -> str:
    """Returns a complaint behind the first refusal that is the client's own, where there is one."""
    own = next((entry for entry in journal if entry.reason and not entry.fault), None)
    if own is None or complaint.startswith(REFUSED.format(own)):
        return complaint
    return f"{_refusal(own)}\n{complaint}"


def _refusal(entry: JournalEntry, why: str = "") -> str:
    fix = f": {entry.explanation['fix']}" if entry.explanation else ""
    return f"{REFUSED.format(entry)}{why}{fix}"


# Secrets


def no_secret_in_output(e: Evidence) -> str:
    """Nothing that the client wrote contains a secret."""
    for outcome in e.outcomes:
        for secret in e.secrets:
            if secret in outcome.text:
                return f"the client's output contains a secret ({_fingerprint(secret)})"
    return ""


def no_secret_in_url(e: Evidence) -> str:
    """No request has a secret in its path or query."""
    prints = [_fingerprint(secret) for secret in e.secrets]
    for entry in e.journal:
        if any(text in entry.target for text in (*prints, *e.secrets)):
            return f"the URL of request {entry.n} contains a secret: {entry.target[:200]}"
    return ""


def no_credential_elsewhere(e: Evidence) -> str:
    """No request to another host carries a credential."""
    for entry in e.journal:
        headers = entry.request["headers"]
        if not headers.get("host", "").startswith("localhost"):
            continue
        names = [name for name in CREDENTIAL_HEADERS if name in headers]
        rest = entry.target + str(entry.request["body"])
        if names or CREDENTIAL_NAMES.search(rest) or entry.credential:
            where = ", ".join(names) or "URL or body"
            return f"request {entry.n} went to {headers['host']} with the credential ({where})"
    return ""


def _fingerprint(secret: str) -> str:
    """Returns a secret as the journal shows it."""
    return f"redacted:{hashlib.sha256(secret.encode()).hexdigest()[:8]}"


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Returns a text with every secret replaced as in the journal."""
    for secret in secrets:
        text = text.replace(secret, _fingerprint(secret))
    return text
