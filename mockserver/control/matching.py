"""What is asked of requests: which names there are, and where an entry is otherwise."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from mockserver.control.routes import ControlError
from mockserver.engine.journal import Exact, JournalEntry
from mockserver.engine.sandbox import Sandbox
from mockserver.model.provider import Provider
from mockserver.model.suggestions import NAME_MAX, choices

MAIN = "balances"  # stands for the main read of any provider


class JournalMatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What an entry must have; ``target`` with or without its query."""

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
        """Whether it asks for what is not counted, and stands in entries only."""
        return self.method is not None or self.target is not None or bool(self.header)


def check_names(sandbox: Sandbox, match: JournalMatch, at: str) -> None:
    """Raises Refused for a name that no request can have; an empty one is the lack of one."""
    states = sandbox.states
    if match.provider is not None:
        _check("provider", match.provider, states, at)
    asked = [state for name, state in states.items() if match.provider in (None, name)]
    if match.operation:
        ids = [route.id for state in asked for route in state.provider.routes]
        _check("operation", match.operation, [MAIN, *dict.fromkeys(ids)], at)
    if match.reason:
        reasons = {reason for state in asked for reason in state.provider.errors}
        _check("reason", match.reason, sorted(reasons | _met(sandbox, match.provider, 3)), at)
    if match.credential:
        check_credential(sandbox, match.provider, match.credential, f"{at}credential")


def check_credential(sandbox: Sandbox, provider: str | None, label: str, at: str) -> None:
    """Raises Refused for a label that no credential has, nor had when a request was counted."""
    states = [state for name, state in sandbox.states.items() if provider in (None, name)]
    labels = dict.fromkeys(known for state in states for known in state.keyring.labels)
    if label in labels or label in _met(sandbox, provider, 4):
        return
    own = [known for known in labels if not known.startswith("reject-")]
    hint = choices(label, labels if label.startswith("reject") else own)
    raise ControlError(400, f"no credential {label[:NAME_MAX]}", at, hint)


def _met(sandbox: Sandbox, provider: str | None, member: int) -> set[Any]:
    """Returns what was met of a member of the counts: it may be there no more, or be of all."""
    with sandbox.lock:
        keys = [*sandbox.journal.counts.exact]
    return {key[member] for key in keys if provider in (None, key[0])}


def _check(what: str, name: str, known: Iterable[str], at: str) -> None:
    names = list(known)
    if name not in names:
        raise ControlError(400, f"no {what} {name[:NAME_MAX]}", at + what, choices(name, names))


def headers(lines: bytes) -> dict[str, str]:
    """Returns header lines by name; values of one name are joined."""
    found: dict[str, str] = {}
    for line in lines.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(": ")
        if colon:
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def counted(key: Exact, match: JournalMatch, providers: Mapping[str, Provider]) -> bool:
    """Tells whether requests that are counted under a key match, as far as counts tell."""
    provider, operation, status, reason, credential = key
    return (
        match.provider in (None, provider)
        and match.status in (None, status)
        and match.reason in (None, reason)
        and match.credential in (None, credential)
        and _operates(operation, match.operation, providers[provider])
    )


def _operates(operation: str, wanted: str | None, provider: Provider) -> bool:
    return wanted in (None, operation) or (wanted == MAIN and operation == provider.main)


def differs(
    entry: JournalEntry, match: JournalMatch, providers: Mapping[str, Provider]
) -> dict[str, dict[str, Any]]:
    """Returns where an entry is not as asked for: what was wanted, what was found."""
    found: dict[str, dict[str, Any]] = {}
    for name in ("provider", "method", "status", "reason", "credential"):
        wanted = getattr(match, name)
        if wanted is not None and wanted != getattr(entry, name):
            found[name] = {"wanted": wanted, "found": getattr(entry, name)}
    if not _operates(entry.operation, match.operation, providers[entry.provider]):
        found["operation"] = {"wanted": match.operation, "found": entry.operation}
    if match.target is not None:
        target = entry.target.decode("latin-1")
        if match.target not in _targets(entry.provider, target):
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
