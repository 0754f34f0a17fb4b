"""Judges one request as a server would, without one: would it be accepted, and why not."""

from collections.abc import Callable
from typing import Any

from mockserver.edge import worlds
from mockserver.edge.routing import Routing
from mockserver.edge.told import Told, Unreadable
from mockserver.engine import pipeline
from mockserver.engine.journal import Entry
from mockserver.engine.sandbox import Sandbox, Settings
from mockserver.engine.sandboxes import DEFAULT
from mockserver.providers import discover
from mockserver.wire.message import Request


def judge(
    told: Told, world: str, provider: str | None, port: int, real: Callable[[], int]
) -> Entry:
    """Returns what the journal would say of a request; raises BadFile, Unreadable.

    ``port`` is the gateway's, by which a local URL tells its provider.
    """
    providers = discover()
    routing = Routing(providers)
    routing.ports = {port + p.port: name for name, p in providers.items()}
    scope: dict[str, Any] = {"server": (told.host, told.port), "headers": told.headers}
    destination = routing.find(scope, told.path)
    name = provider or (destination.provider if destination else None)
    if name is None:
        raise Unreadable("whose request is it? Say --provider " + " or ".join(providers))
    path = destination.path if destination and destination.provider == name else told.path
    sandbox = Sandbox(DEFAULT, worlds.load(world), real, Settings())
    pipeline.answer(
        sandbox,
        name,
        Request(
            told.method,
            path,
            told.query,
            told.headers,
            told.body,
            "127.0.0.1",
            told.path,
        ),
    )
    return sandbox.journal.entries[-1]


def verdict(entry: Entry) -> str:
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
