"""Lists, shows, clears and exports the journal, and reports what it has covered."""

from collections.abc import Mapping
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from msgspec.structs import asdict

from mockserver.control.chunks import Items
from mockserver.control.matching import JournalMatch, check_names, differences, header_values
from mockserver.control.routes import ControlCall, one_of, whole_number
from mockserver.engine.journal import JournalEntry
from mockserver.errors import ControlError, InvalidCall
from mockserver.model import times
from mockserver.model.provider import Provider
from mockserver.version import __version__

FILTERS = ("provider", "operation", "reason", "status")
PAGING = ("after", "limit", "order", "last")
LIMIT = 100
LIMIT_MAX = 1_000
AFTER_MAX = 10**12


def entry_document(entry: JournalEntry) -> dict[str, Any]:
    """Returns an entry as JSON data."""
    return {
        "n": entry.n,
        "time": times.instant_text(entry.time),
        "auth_time": times.instant_text(entry.auth_time),
        "provider": entry.provider,
        "operation": entry.operation,
        "method": entry.method,
        "target": entry.target.decode("latin-1"),
        "credential": entry.credential,
        "status": entry.status,
        "reason": entry.reason,
        "note": entry.note,
        "fault": entry.fault or None,
        "delivery": entry.delivery or None,
        "duration_us": entry.duration // 1000,
        "request": {
            "headers": header_values(entry.request_headers),
            "body": entry.request_body.decode("utf-8", "replace"),
        },
        "response": {
            "headers": {k.decode(): v.decode("latin-1") for k, v in entry.response_headers},
            "body": entry.response_body.decode("utf-8", "replace"),
        },
        "explanation": asdict(entry.explanation) if entry.explanation is not None else None,
    }


def index(call: ControlCall) -> dict[str, Any]:
    """Returns a page of the entries that match the query, oldest first or newest first."""
    newest = one_of(call.query, "order", ("oldest", "newest")) == "newest"
    after = whole_number(call.query, "after", 0, AFTER_MAX)
    last = whole_number(call.query, "last", LIMIT, LIMIT_MAX)
    limit = last if "last" in call.query else whole_number(call.query, "limit", LIMIT, LIMIT_MAX)
    for name in ("after", "limit", "order"):
        if "last" in call.query and name in call.query:
            raise InvalidCall(f"last and {name} exclude each other", f"?{name}", "give only one")
    status = whole_number(call.query, "status", 0, 999)
    match = JournalMatch(
        provider=call.query.get("provider"),
        operation=call.query.get("operation"),
        reason=call.query.get("reason"),
        status=status or None,
    )
    check_names(call.sandbox, match, "?")
    providers = call.app.providers
    entries = _entries(call)
    if newest or "last" in call.query:
        entries.reverse()
        after = -after if after else -AFTER_MAX
    sign = -1 if newest or "last" in call.query else 1
    matching = (e for e in entries if sign * e.n > after and not differences(e, match, providers))
    page = list(islice(matching, limit + 1))
    more = len(page) > limit > 0
    del page[limit:]
    next_after = page[-1].n if more else None
    if "last" in call.query:
        page.reverse()
        next_after = None
    return {"requests": Items(page, entry_document), "next": next_after}


def _entries(call: ControlCall) -> list[JournalEntry]:
    sandbox = call.sandbox
    with sandbox.lock:
        return list(sandbox.journal.entries)


def show(call: ControlCall) -> dict[str, Any]:
    """Returns one entry."""
    return entry_document(find_entry(call, call.path["n"]))


def find_entry(call: ControlCall, n: str) -> JournalEntry:
    """Returns the entry with a number; raises ControlError (404)."""
    for entry in _entries(call):
        if str(entry.n) == n:
            return entry
    raise ControlError(404, f"no request {n}", hint="the journal may have dropped it")


def clear(call: ControlCall) -> None:
    """Deletes all entries and counts."""
    call.sandbox.clear_journal()


def coverage(call: ControlCall) -> dict[str, Any]:
    """Returns how often each operation, reason and rule has occurred, and which never have."""
    sandbox = call.sandbox
    with sandbox.lock:
        counts = sandbox.journal.counts.seen_counts
        rules = dict.fromkeys(sandbox.rulebook.rules, 0)
        rules |= dict(sandbox.journal.counts.applied_rules)
    return {
        **{name: _provider_coverage(p, counts) for name, p in call.app.providers.items()},
        "faults": {"rules": rules, "missing": [name for name, n in rules.items() if not n]},
    }


def _provider_coverage(
    provider: Provider, counts: Mapping[tuple[str, str, str], int]
) -> dict[str, Any]:
    """``counts`` are numbers of requests by provider, operation and reason."""
    operations = dict.fromkeys((route.id for route in provider.routes), 0)
    reasons = dict.fromkeys(sorted(provider.errors), 0)
    for (name, operation, reason), count in counts.items():
        if name == provider.name:
            if operation in operations:
                operations[operation] += count
            if reason in reasons:
                reasons[reason] += count
    return {
        "operations": operations,
        "reasons": reasons,
        "missing": [name for name, count in (operations | reasons).items() if not count],
    }


def har(call: ControlCall) -> dict[str, Any]:
    """Returns the journal, or one entry of it, as an HTTP archive (HAR 1.2)."""
    n = call.query.get("n")
    entries = _entries(call) if n is None else [find_entry(call, n)]
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "exchange-mockserver", "version": __version__},
            "entries": Items(entries, lambda e: _har_entry(entry_document(e), call.origin)),
        }
    }


def _har_entry(entry: Mapping[str, Any], origin: str) -> dict[str, Any]:
    request, response = entry["request"], entry["response"]
    milliseconds = entry["duration_us"] / 1000
    media_type = response["headers"].get("content-type", "")
    return {
        "startedDateTime": entry["time"],
        "time": milliseconds,
        "request": {
            "method": entry["method"],
            "url": _base_url(request["headers"].get("host"), origin) + entry["target"],
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _har_headers(request["headers"]),
            "queryString": _har_query(entry["target"]),
            "headersSize": -1,
            "bodySize": len(request["body"].encode()),
            **_har_post_data(request),
        },
        "response": {
            "status": entry["status"],
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _har_headers(response["headers"]),
            "content": {
                "size": len(response["body"].encode()),
                "mimeType": media_type,
                "text": response["body"],
            },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": len(response["body"].encode()),
        },
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "comment": ", ".join(filter(None, (entry[n] for n in ("reason", "fault", "delivery")))),
    }


def _base_url(host: str | None, origin: str) -> str:
    """Returns where the client sent a request: the gateway or a provider's own port."""
    return f"http://{host}" if host else origin


def _har_query(target: str) -> list[dict[str, str]]:
    pairs = parse_qsl(target.partition("?")[2], keep_blank_values=True)
    return [{"name": name, "value": value} for name, value in pairs]


def _har_post_data(request: Mapping[str, Any]) -> dict[str, Any]:
    if not request["body"]:
        return {}
    media_type = request["headers"].get("content-type", "application/octet-stream")
    return {"postData": {"mimeType": media_type, "text": request["body"]}}


def _har_headers(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]
