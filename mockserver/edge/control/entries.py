"""The journal: listed, shown, counted, exported."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct
from msgspec.structs import asdict

from mockserver import __version__
from mockserver.edge.control.verb import Call, Refused, whole_number
from mockserver.engine.journal import Entry
from mockserver.wire import moment
from mockserver.wire.provider import Provider

FILTERS = ("provider", "operation", "reason", "status")
LIMIT = 100
LIMIT_MAX = 1_000
MISSES = 3  # nearest misses that are told


class Match(Struct, frozen=True, forbid_unknown_fields=True):
    """What an entry must have; ``target`` with or without its query."""

    provider: str | None = None
    operation: str | None = None
    method: str | None = None
    target: str | None = None
    status: int | None = None
    reason: str | None = None
    credential: str | None = None
    header: dict[str, str] = {}


class Verification(Struct, frozen=True, forbid_unknown_fields=True):
    """What is expected: how many entries match."""

    match: Match = Match()
    exactly: int | None = None
    at_least: int | None = None
    at_most: int | None = None


def told(entry: Entry) -> dict[str, Any]:
    """Returns an entry as it is told to people."""
    return {
        "n": entry.n,
        "time": moment.show(entry.time),
        "auth_time": moment.show(entry.auth_time),
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
            "headers": headers(entry.request_headers),
            "body": entry.request_body.decode("utf-8", "replace"),
        },
        "response": {
            "headers": {k.decode(): v.decode("latin-1") for k, v in entry.response_headers},
            "body": entry.response_body.decode("utf-8", "replace"),
        },
        "explanation": asdict(entry.explanation) if entry.explanation is not None else None,
    }


def headers(lines: bytes) -> dict[str, str]:
    """Returns header lines by name; values of one name are joined."""
    found: dict[str, str] = {}
    for line in lines.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(": ")
        if colon:
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def index(call: Call) -> dict[str, Any]:
    """Lists entries, oldest first."""
    after = whole_number(call.query, "after", 0, 10**12)
    limit = whole_number(call.query, "limit", LIMIT, LIMIT_MAX)
    status = whole_number(call.query, "status", 0, 999)
    match = Match(
        provider=call.query.get("provider"),
        operation=call.query.get("operation"),
        reason=call.query.get("reason"),
        status=status or None,
    )
    providers = call.app.providers
    found = [e for e in _entries(call) if e.n > after and not _differs(e, match, providers)]
    page = found[:limit]
    more = len(found) > limit and bool(page)
    return {"requests": [told(e) for e in page], "next": page[-1].n if more else None}


def _entries(call: Call) -> list[Entry]:
    sandbox = call.sandbox
    with sandbox.lock:
        return list(sandbox.journal.entries)


def show(call: Call) -> dict[str, Any]:
    """Tells one entry."""
    for entry in _entries(call):
        if str(entry.n) == call.path["n"]:
            return told(entry)
    raise Refused(404, f"no request {call.path['n']}", hint="it may be too long ago")


def clear(call: Call) -> None:
    """Forgets the journal."""
    sandbox = call.sandbox
    with sandbox.lock:
        sandbox.journal.clear()


def verify(call: Call) -> dict[str, Any]:
    """Counts entries; raises Refused with the nearest misses when the number is not right."""
    wish: Verification = call.body
    bounds = (wish.exactly, wish.at_least, wish.at_most)
    if all(bound is None for bound in bounds):
        raise Refused(400, "nothing is expected", hint="give exactly, at_least or at_most")
    entries, providers = _entries(call), call.app.providers
    differences = [(e, _differs(e, wish.match, providers)) for e in entries]
    count = sum(not found for _, found in differences)
    exactly, least, most = bounds
    good = (
        (exactly is None or count == exactly)
        and (least is None or count >= least)
        and (most is None or count <= most)
    )
    if good:
        return {"count": count}
    refused = Refused(409, f"{count} requests match", "$", "see nearest")
    refused.body |= {"count": count, "nearest": _nearest(differences)}  # type: ignore[dict-item]
    raise refused


def _nearest(differences: Iterable[tuple[Entry, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Returns the entries that differ least from what was asked for, and in what."""
    missed = sorted(((e, d) for e, d in differences if d), key=lambda pair: len(pair[1]))
    return [{"n": e.n, "differs": d, "request": told(e)} for e, d in missed[:MISSES]]


def _differs(
    entry: Entry, match: Match, providers: Mapping[str, Provider]
) -> dict[str, dict[str, Any]]:
    """Returns where an entry is not as asked for: what was wanted, what was found."""
    found: dict[str, dict[str, Any]] = {}
    for name in ("provider", "method", "status", "reason", "credential"):
        wanted = getattr(match, name)
        if wanted is not None and wanted != getattr(entry, name):
            found[name] = {"wanted": wanted, "found": getattr(entry, name)}
    if match.operation not in (None, entry.operation):
        main = providers[entry.provider].main
        if not (match.operation == "balances" and entry.operation == main):
            found["operation"] = {"wanted": match.operation, "found": entry.operation}
    target = entry.target.decode("latin-1")
    if match.target is not None and match.target not in _targets(entry.provider, target):
        found["target"] = {"wanted": match.target, "found": target}
    if match.header:
        given = {name.lower(): v for name, v in headers(entry.request_headers).items()}
        for name, wanted in match.header.items():
            if given.get(name.lower()) != wanted:
                found[f"header {name}"] = {"wanted": wanted, "found": given.get(name.lower())}
    return found


def _targets(provider: str, target: str) -> set[str]:
    """Returns how a target may be named: as dialled or as the provider sees it, less its query."""
    seen = re.sub(rf"^(/{provider})?(/~[^/?]*)?(?=/)", "", target)
    return {form for t in (target, seen) for form in (t, t.partition("?")[0])}


def coverage(call: Call) -> dict[str, Any]:
    """Tells which operations, reasons and rules were met since the start, and which not."""
    sandbox = call.sandbox
    with sandbox.lock:
        met = dict(sandbox.journal.met)
        took = dict.fromkeys(sandbox.rulebook.rules, 0) | dict(sandbox.journal.took)
    return {
        **{name: _covered(p, met) for name, p in call.app.providers.items()},
        "faults": {"rules": took, "missing": [name for name, n in took.items() if not n]},
    }


def _covered(provider: Provider, met: Mapping[tuple[str, str, str], int]) -> dict[str, Any]:
    operations = dict.fromkeys((route.id for route in provider.routes), 0)
    reasons = dict.fromkeys(sorted(provider.errors), 0)
    for (name, operation, reason), count in met.items():
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


def har(call: Call) -> dict[str, Any]:
    """Exports the journal as an HTTP archive 1.2."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "exchange-mockserver", "version": __version__},
            "entries": [_archived(told(e), call.origin) for e in _entries(call)],
        }
    }


def _archived(entry: Mapping[str, Any], origin: str) -> dict[str, Any]:
    request, response = entry["request"], entry["response"]
    took = entry["duration_us"] / 1000
    media_type = response["headers"].get("content-type", "")
    return {
        "startedDateTime": entry["time"],
        "time": took,
        "request": {
            "method": entry["method"],
            "url": _url(request["headers"].get("host"), origin) + entry["target"],
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _listed(request["headers"]),
            "queryString": _queried(entry["target"]),
            "headersSize": -1,
            "bodySize": len(request["body"].encode()),
            **_posted(request),
        },
        "response": {
            "status": entry["status"],
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _listed(response["headers"]),
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
        "timings": {"send": 0, "wait": took, "receive": 0},
        "comment": ", ".join(filter(None, (entry[n] for n in ("reason", "fault", "delivery")))),
    }


def _url(host: str | None, origin: str) -> str:
    """Returns where the client sent a request: it may have been a provider's own port."""
    return f"http://{host}" if host else origin


def _queried(target: str) -> list[dict[str, str]]:
    pairs = parse_qsl(target.partition("?")[2], keep_blank_values=True)
    return [{"name": name, "value": value} for name, value in pairs]


def _posted(request: Mapping[str, Any]) -> dict[str, Any]:
    if not request["body"]:
        return {}
    media_type = request["headers"].get("content-type", "application/octet-stream")
    return {"postData": {"mimeType": media_type, "text": request["body"]}}


def _listed(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers.items()]
