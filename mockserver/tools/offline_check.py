"""Checks one request as a server would, without running one."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec.structs import asdict

from mockserver.engine import pipeline
from mockserver.engine.journal import JournalEntry
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT
from mockserver.engine.settings import Settings
from mockserver.errors import UnreadableRequest
from mockserver.files import worlds
from mockserver.model.http import Request
from mockserver.model.provider import Provider
from mockserver.model.query import parameters
from mockserver.providers import discover
from mockserver.tools.pasted_request import ParsedRequest

SANDBOX_PREFIX = re.compile(rb"^/~[^/]*(?=/)")


class Destination(Protocol):
    """The provider that a URL selects, and the path below it."""

    @property
    def provider(self) -> str: ...  # noqa: D102
    @property
    def path(self) -> bytes: ...  # noqa: D102


Find = Callable[[int | None, Sequence[tuple[bytes, bytes]], bytes], Destination | None]


def check_offline(
    parsed: ParsedRequest, world: str, provider: str | None, find: Find, real: Callable[[], int]
) -> JournalEntry:
    """Returns the journal entry of a request; raises FileError and UnreadableRequest.

    ``provider`` may be None where the URL or a credential selects it. ``find(port, headers,
    path)`` routes a request as the server does; ``real`` returns the time of the request in
    nanoseconds since the epoch.
    """
    name, path = destination_of(parsed, provider, find, discover())
    sandbox = Sandbox(DEFAULT, worlds.load(world), real, Settings())
    base_path = discover()[name].base_path.encode()
    pipeline.respond(sandbox, name, as_received(parsed, path, base_path))
    return sandbox.journal.entries[-1]


def destination_of(
    parsed: ParsedRequest, provider: str | None, find: Find, providers: Mapping[str, Provider]
) -> tuple[str, bytes]:
    """Returns the provider of a request and its path there; raises UnreadableRequest.

    ``provider`` may be None where the URL or a credential selects it.
    """
    destination = find(parsed.port, parsed.headers, parsed.path)
    name = provider or (destination.provider if destination else _by_credential(parsed, providers))
    if name is None:
        known = " or ".join(providers)
        raise UnreadableRequest(
            f"neither the URL nor a credential selects a provider: add --provider {known}"
        )
    path = SANDBOX_PREFIX.sub(b"", parsed.path)
    if destination is not None and destination.provider == name:
        path = destination.path
    return name, path


def _by_credential(parsed: ParsedRequest, providers: Mapping[str, Provider]) -> str | None:
    """Returns the provider whose headers or parameters a request has; of several by its path."""
    from mockserver.explain.addresses import has_path

    headers = {name for name, _ in parsed.headers}
    media_type = dict(parsed.headers).get(b"content-type", b"")
    names = {name for name, _ in parameters(parsed.query, media_type, parsed.body)}
    path = SANDBOX_PREFIX.sub(b"", parsed.path).decode("latin-1")
    matching = [
        p for p in providers.values() if headers & p.secrets.headers or names & p.secrets.query
    ]
    candidates = [p for p in matching if has_path(p, path)] or matching
    return candidates[0].name if len(candidates) == 1 else None


def as_received(parsed: ParsedRequest, path: bytes, base_path: bytes) -> Request:
    """Returns a request as a provider receives it, at a path that begins with the base path."""
    return Request.of(
        parsed.method,
        path,
        parsed.query,
        parsed.headers,
        parsed.body,
        base_path=base_path,
        raw_target_path=parsed.path,
    )


def verdict(entry: JournalEntry) -> str:
    """Returns the result as text: one line, and the explanation of a rejected request."""
    key = f" as key {entry.credential}" if entry.credential else ""
    if not entry.reason:
        return f"accepted: {entry.status} {entry.provider} {entry.operation}{key}"
    lines = [f"refused: {entry.status} {entry.provider} {entry.reason}{key}"]
    if entry.explanation is not None:
        rows = asdict(entry.explanation).items()
        lines += [f"  {name:8}  {text}" for name, text in rows if text]
    return "\n".join(lines)
