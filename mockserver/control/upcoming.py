"""What the limits of a sandbox have counted, and what happens next on its clock."""

from collections.abc import Iterator
from heapq import nsmallest
from typing import Any

import msgspec

from mockserver.control.routes import ControlCall
from mockserver.engine.provider_state import ProviderState
from mockserver.engine.sandbox import Sandbox
from mockserver.model import times

CALLERS_MAX = 1_000  # callers of a limit that are looked at
SHOWN_MAX = 50  # callers of a limit in a response
UPCOMING_MAX = 200

Row = tuple[int, str, str, str]  # a time on the sandbox clock, kind, provider, text


def usage(call: ControlCall) -> dict[str, Any]:
    """Returns the callers of every limit that have used the most, and the bans in force."""
    sandbox = call.sandbox
    with sandbox.lock:
        now = sandbox.clock.now()
        limits = [row for state in sandbox.states.values() for row in _limits(state, now)]
        bans = [
            {"ban": f"{name}.{policy}", "caller": caller, "state": state, "until": _text(until)}
            for name, provider in sandbox.states.items()
            for policy, bans in provider.ban_lists.items()
            for caller, state, until in bans.penalties(now, SHOWN_MAX)
        ]
    return {"now": _text(now), "limits": limits, "bans": bans}


def _limits(state: ProviderState, now: int) -> Iterator[dict[str, Any]]:
    for name, counter in state.counters.items():
        limit = counter.limit
        rows = counter.usage(now, CALLERS_MAX) if limit.count is not None else []
        rows.sort(key=lambda row: -row.used)
        yield {
            "limit": f"{state.provider.name}.{name}",
            "value": limit.text,
            "count": limit.count,
            "window": times.duration_text(limit.window),
            "rolling": limit.rolling,
            "callers": [
                {"caller": row.caller, "used": row.used, "frees": _text(row.frees)}
                for row in rows[:SHOWN_MAX]
            ],
            "more": max(len(rows) - SHOWN_MAX, 0),
        }


def upcoming(call: ControlCall) -> dict[str, Any]:
    """Returns what happens next on the sandbox clock, soonest first."""
    sandbox = call.sandbox
    with sandbox.lock:
        sandbox.run_due_events()
        now, auth_now, _ = sandbox.clock.read()
        rows = [*_rules(sandbox, now)]
        for state in sandbox.states.values():
            rows += _provider(state, now, auth_now)
    due = sorted(row for row in rows if row[0] > now)[:UPCOMING_MAX]
    return {
        "now": _text(now),
        "upcoming": [
            {"at": _text(at), "kind": kind, "provider": provider, "about": about}
            for at, kind, provider, about in due
        ],
    }


def _rules(sandbox: Sandbox, now: int) -> Iterator[Row]:
    """Yields when the rules in force begin and end."""
    for name, active in sandbox.rulebook.rules.items():
        window, provider = active.rule.window, active.rule.match.provider
        if active.is_over(now):
            continue
        start = active.since
        if window.period is not None:
            start += (now - active.since) // window.period * window.period
            if now - start >= (window.end or 0):
                start += window.period
        if start + window.begin > now:
            yield start + window.begin, "rule", provider, f"the rule {name} begins"
        if window.end is not None:
            yield start + window.end, "rule", provider, f"the rule {name} ends"


def _provider(state: ProviderState, now: int, auth_now: int) -> Iterator[Row]:
    provider = state.provider
    for at, _, event in nsmallest(UPCOMING_MAX, state.ledger.schedule):
        members = {k: v for k, v in msgspec.to_builtins(event).items() if k != "event"}
        about = " ".join([event.named(), *(f"{k}={v}" for k, v in members.items())])
        yield at, "event", provider.name, about
    for name, counter in state.counters.items():
        if counter.limit.count is not None:
            for row in counter.usage(now, SHOWN_MAX):
                about = f"{name} frees for {row.caller}: {row.used} of {counter.limit.text} used"
                yield row.frees, "limit", provider.name, about
    for policy, bans in state.ban_lists.items():
        for caller, how, until in bans.penalties(now, SHOWN_MAX):
            yield until, "ban", provider.name, f"{policy}: {caller} is no longer {how}"
    if provider.upcoming is not None:
        for at, about in provider.upcoming(state.view(None, now, auth_now)):
            yield at, "state", provider.name, about


def _text(instant: int) -> str:
    return times.instant_text(instant)
