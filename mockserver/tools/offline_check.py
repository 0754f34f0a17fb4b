"""Checks one request as a server would, without running one."""

import re
from collections.abc import Callable

from msgspec.structs import asdict

from mockserver.engine import pipeline
from mockserver.engine.journal import JournalEntry
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT
from mockserver.engine.settings import Settings
from mockserver.files import worlds
from mockserver.http.routing import Routing
from mockserver.model.http import Request
from mockserver.providers import discover
from mockserver.tools.curl_line import UnreadableRequest
from mockserver.tools.pasted_request import ParsedRequest

SANDBOX_PREFIX = re.compile(rb"^/~[^/]*(?=/)")


def check_offline(
    parsed: ParsedRequest, world: str, provider: str | None, port: int, real: Callable[[], int]
) -> JournalEntry:
    """Returns the journal entry of a request; raises FileError and UnreadableRequest.

    ``provider`` may be None where the URL selects it. ``port`` is the gateway's, ``real``
    returns the time of the request in nanoseconds since the epoch.
    """
    providers = discover()
    routing = Routing(providers)
    routing.ports = {port + p.port: name for name, p in providers.items()}
    destination = routing.find(parsed.port, parsed.headers, parsed.path)
    name = provider or (destination.provider if destination else None)
    if name is None:
        raise UnreadableRequest(
            "the URL does not select a provider: add --provider " + " or ".join(providers)
        )
    path = SANDBOX_PREFIX.sub(b"", parsed.path)
    if destination is not None and destination.provider == name:
        path = destination.path
    sandbox = Sandbox(DEFAULT, worlds.load(world), real, Settings())
    pipeline.respond(sandbox, name, _request(parsed, path, routing.base_paths[name]))
    return sandbox.journal.entries[-1]


def _request(parsed: ParsedRequest, path: bytes, base_path: bytes) -> Request:
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
