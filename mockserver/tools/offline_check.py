"""Judges one request as a server would, without one: would it be accepted, and why not."""

import re
from collections.abc import Callable

from mockserver.engine import pipeline
from mockserver.engine.journal import JournalEntry
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT
from mockserver.engine.settings import Settings
from mockserver.files import worlds
from mockserver.http.asgi import PEER, REQUEST_BODY_MAX
from mockserver.http.routing import Routing
from mockserver.model.http import Request
from mockserver.providers import discover
from mockserver.tools.curl_line import Unreadable
from mockserver.tools.pasted_request import ParsedRequest

SANDBOX = re.compile(rb"^/~[^/]*(?=/)")


def check_offline(
    told: ParsedRequest, world: str, provider: str | None, port: int, real: Callable[[], int]
) -> JournalEntry:
    """Returns what the journal would say of a request; raises BadFile, Unreadable.

    ``port`` is the gateway's, by which a local URL tells its provider.
    """
    providers = discover()
    routing = Routing(providers)
    routing.ports = {port + p.port: name for name, p in providers.items()}
    destination = routing.find(told.port, told.headers, told.path)
    name = provider or (destination.provider if destination else None)
    if name is None:
        raise Unreadable("whose request is it? Say --provider " + " or ".join(providers))
    path = SANDBOX.sub(b"", told.path)
    if destination is not None and destination.provider == name:
        path = destination.path
    sandbox = Sandbox(DEFAULT, worlds.load(world), real, Settings())
    pipeline.answer(sandbox, name, _request(told, path))
    return sandbox.journal.entries[-1]


def _request(told: ParsedRequest, path: bytes) -> Request:
    whole = len(told.body) <= REQUEST_BODY_MAX
    return Request(
        told.method,
        path,
        told.query,
        told.headers,
        told.body if whole else b"",
        PEER,
        told.path,
        oversize=not whole,
    )


def verdict(entry: JournalEntry) -> str:
    """Writes what was found, for people."""
    who = f" as key {entry.credential}" if entry.credential else ""
    if not entry.reason:
        return f"accepted: {entry.status} {entry.provider} {entry.operation}{who}"
    lines = [f"refused: {entry.status} {entry.provider} {entry.reason}{who}"]
    told = entry.explanation
    if told is not None:
        rows = (("rule", told.rule), ("expected", told.expected), ("received", told.received))
        lines += [f"  {name:8}  {text}" for name, text in (*rows, ("fix", told.fix)) if text]
    return "\n".join(lines)
