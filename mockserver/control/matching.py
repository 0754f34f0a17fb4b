"""Matches journal entries and request counts, and checks the names to match."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from mockserver.engine.journal import Exact, JournalEntry
from mockserver.engine.sandbox import Sandbox
from mockserver.errors import InvalidCall
from mockserver.model.provider import Provider
from mockserver.model.suggestions import NAME_MAX, choices
from mockserver.model.world import own_labels

MAIN = "balances"  # stands for the main read of any provider
REASON, CREDENTIAL = 3, 4  # members of Exact, the key of a count


class JournalMatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What an entry must have; None matches anything. ``target`` with or without its query."""

    provider: str | None = None
    operation: str | None = None
    method: str | None = None
    target: str | None = None
    status: int | None = None
    reason: str | None = None
    credential: str | None = None
    header: dict[str, str] = {}

    @property
    def needs_entries(self) -> bool:
        """Whether it matches members that are in entries only, not in counts."""
        return self.method is not None or self.target is not None or bool(self.header)


def check_names(sandbox: Sandbox, match: JournalMatch, at: str) -> None:
    """Raises InvalidCall for a name that no request can have; "" matches requests without one.

    ``at`` is where the members of the match are: ``?`` or ``$.match.``.
    """
    states = sandbox.states
    if match.provider is not None:
        check_name("provider", match.provider, states, at)
    selected = [state for name, state in states.items() if match.provider in (None, name)]
    if match.operation:
        ids = [route.id for state in selected for route in state.provider.routes]
        check_name("operation", match.operation, [MAIN, *dict.fromkeys(ids)], at)
    if match.reason:
        reasons = {reason for state in selected for reason in state.provider.errors}
        known = sorted(reasons | _counted_names(sandbox, match.provider, REASON))
        check_name("reason", match.reason, known, at)
    if match.credential:
        check_credential(sandbox, match.provider, match.credential, f"{at}credential")


def check_credential(sandbox: Sandbox, provider: str | None, label: str, at: str) -> None:
    """Raises InvalidCall for a label that no credential has, nor had in a counted request."""
    states = [state for name, state in sandbox.states.items() if provider in (None, name)]
    labels = dict.fromkeys(known for state in states for known in state.keyring.labels)
    if label in labels or label in _counted_names(sandbox, provider, CREDENTIAL):
        return
    hint = choices(label, own_labels(label, labels))
    raise InvalidCall(f"no credential {label[:NAME_MAX]}", at, hint)


def _counted_names(sandbox: Sandbox, provider: str | None, member: int) -> set[Any]:
    """Returns the values of a member of the counts; they may no longer exist in the sandbox."""
    with sandbox.lock:
        keys = [*sandbox.journal.counts.exact]
    return {key[member] for key in keys if provider in (None, key[0])}


def check_name(kind: str, name: str, known: Iterable[str], at: str) -> None:
    """Raises InvalidCall for a name that is not among the known ones; ``at + kind`` is where."""
    names = list(known)
    if name not in names:
        raise InvalidCall(f"no {kind} {name[:NAME_MAX]}", at + kind, choices(name, names))


def header_values(lines: bytes) -> dict[str, str]:
    """Returns the values of header lines by name; values of one name are joined."""
    headers: dict[str, str] = {}
    for line in lines.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(": ")
        if colon:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def count_matches(key: Exact, match: JournalMatch, providers: Mapping[str, Provider]) -> bool:
    """Returns whether the requests counted under a key match, as far as the key tells."""
    provider, operation, status, reason, credential = key
    return (
        match.provider in (None, provider)
        and match.status in (None, status)
        and match.reason in (None, reason)
        and match.credential in (None, credential)
        and _is_operation(operation, match.operation, providers[provider])
    )


def _is_operation(operation: str, expected: str | None, provider: Provider) -> bool:
    return expected in (None, operation) or (expected == MAIN and operation == provider.main)


def differences(
    entry: JournalEntry, match: JournalMatch, providers: Mapping[str, Provider]
) -> dict[str, dict[str, Any]]:
    """Returns the members in which an entry does not match: what was wanted, what was found."""
    differing: dict[str, dict[str, Any]] = {}

    def add(name: str, wanted: Any, found: Any) -> None:
        differing[name] = {"wanted": wanted, "found": found}

    for name in ("provider", "method", "status", "reason", "credential"):
        wanted = getattr(match, name)
        if wanted is not None and wanted != getattr(entry, name):
            add(name, wanted, getattr(entry, name))
    if not _is_operation(entry.operation, match.operation, providers[entry.provider]):
        add("operation", match.operation, entry.operation)
    if match.target is not None:
        target = entry.target.decode("latin-1")
        if match.target not in _target_forms(entry.provider, target):
            add("target", match.target, target)
    if match.header:
        sent = {name.lower(): v for name, v in header_values(entry.request_headers).items()}
        for name, wanted in match.header.items():
            if sent.get(name.lower()) != wanted:
                add(f"header {name}", wanted, sent.get(name.lower()))
    return differing


def _target_forms(provider: str, target: str) -> set[str]:
    """Returns the forms of a target: as requested or below the base path, each without query."""
    below = re.sub(rf"^(/{provider})?(/~[^/?]*)?(?=/)", "", target)
    return {form for t in (target, below) for form in (t, t.partition("?")[0])}
