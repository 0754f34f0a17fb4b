"""Checks one request as a server would, without running one."""

import re
from collections.abc import Callable, Mapping

from msgspec.structs import asdict

from mockserver.engine import pipeline
from mockserver.engine.journal import JournalEntry
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT
from mockserver.engine.settings import Settings
from mockserver.explain.addresses import has_path
from mockserver.files import worlds
from mockserver.http.asgi import PEER, REQUEST_BODY_MAX
from mockserver.http.routing import Routing
from mockserver.model.http import Request
from mockserver.model.provider import Provider
from mockserver.model.query import parameters
from mockserver.providers import discover
from mockserver.tools.curl_line import UnreadableRequest
from mockserver.tools.pasted_request import ParsedRequest

SANDBOX_PREFIX = re.compile(rb"^/~[^/]*(?=/)")


def check_offline(
    parsed: ParsedRequest, world: str, provider: str | None, port: int, real: Callable[[], int]
) -> JournalEntry:
    """Returns the journal entry of a request; raises FileError and UnreadableRequest.

    ``provider`` may be None where the URL or a credential selects it. ``port`` is the gateway's,
    ``real`` returns the time of the request in nanoseconds since the epoch.
    """
    providers = discover()
    routing = Routing(providers)
    routing.ports = {port + p.port: name for name, p in providers.items()}
    destination = routing.find(parsed.port, parsed.headers, parsed.path)
    name = provider or (destination.provider if destination else _by_credential(parsed, providers))
    if name is None:
        raise UnreadableRequest(
            "neither the URL nor a credential selects a provider: add --provider "
            + " or ".join(providers)
        )
    path = SANDBOX_PREFIX.sub(b"", parsed.path)
    if destination is not None and destination.provider == name:
        path = destination.path
    sandbox = Sandbox(DEFAULT, worlds.load(world), real, Settings())
    pipeline.answer(sandbox, name, _request(parsed, path))
    return sandbox.journal.entries[-1]


def _by_credential(parsed: ParsedRequest, providers: Mapping[str, Provider]) -> str | None:
    """Returns the provider whose headers or parameters a request has; of several by its path."""
    headers = {name for name, _ in parsed.headers}
    media_type = dict(parsed.headers).get(b"content-type", b"")
    names = {name for name, _ in parameters(parsed.query, media_type, parsed.body)}
    path = SANDBOX_PREFIX.sub(b"", parsed.path).decode("latin-1")
    matching = [
        p for p in providers.values() if headers & p.secrets.headers or names & p.secrets.query
    ]
    found = [p for p in matching if has_path(p, path)] or matching
    return found[0].name if len(found) == 1 else None


def _request(parsed: ParsedRequest, path: bytes) -> Request:
    oversize = len(parsed.body) > REQUEST_BODY_MAX
    return Request(
        parsed.method,
        path,
        parsed.query,
        parsed.headers,
        b"" if oversize else parsed.body,
        PEER,
        parsed.path,
        oversize=oversize,
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
