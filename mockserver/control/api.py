"""The verbs of the control API as rows, and how one is found and called."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from mockserver.control import clock as clocks
from mockserver.control import faults, sandboxes, verification
from mockserver.control import journal as entries
from mockserver.control import ledger as ledgers
from mockserver.control.chunks import plain
from mockserver.control.routes import ControlCall, ControlError, ControlRoute, known_sandbox, typed
from mockserver.model.suggestions import choices

SANDBOX = "/sandboxes/{id}"
ACCOUNT = SANDBOX + "/ledger/{provider}/{account}"
ROW = ACCOUNT + "/{asset}"
REQUESTS = SANDBOX + "/requests"
Limits = dict[str, sandboxes.Setting | None] | str

VERBS = (
    ControlRoute("GET", "/health", sandboxes.health),
    ControlRoute("GET", "/providers", sandboxes.providers),
    ControlRoute("GET", "/sandboxes", sandboxes.index),
    ControlRoute(
        "POST",
        "/sandboxes",
        sandboxes.make,
        sandboxes.SandboxSpec,
        status=201,
        makes=True,
        large=True,
    ),
    ControlRoute(
        "PUT", SANDBOX, sandboxes.make, sandboxes.SandboxSpec, status=201, makes=True, large=True
    ),
    ControlRoute("GET", SANDBOX, sandboxes.show),
    ControlRoute("DELETE", SANDBOX, sandboxes.drop, status=204),
    ControlRoute("POST", SANDBOX + "/reset", sandboxes.reset, large=True),
    ControlRoute("GET", SANDBOX + "/quirks", sandboxes.quirks),
    ControlRoute(
        "PATCH", SANDBOX + "/quirks", sandboxes.set_quirks, dict[str, sandboxes.Setting | None]
    ),
    ControlRoute("GET", SANDBOX + "/limits", sandboxes.limits),
    ControlRoute("PATCH", SANDBOX + "/limits", sandboxes.set_limits, Limits),
    ControlRoute("GET", SANDBOX + "/clock", clocks.show),
    ControlRoute("POST", SANDBOX + "/clock", clocks.move, clocks.ClockChange, large=True),
    ControlRoute("GET", SANDBOX + "/faults", faults.index, large=True),
    ControlRoute("POST", SANDBOX + "/faults", faults.put, dict[str, Any], large=True),
    ControlRoute("DELETE", SANDBOX + "/faults", faults.clear, status=204),
    ControlRoute("DELETE", SANDBOX + "/faults/{name}", faults.drop, status=204),
    ControlRoute("PUT", SANDBOX + "/scenario", faults.play, dict[str, Any], large=True),
    ControlRoute("DELETE", SANDBOX + "/scenario", faults.stop, status=204),
    ControlRoute(
        "GET",
        SANDBOX + "/ledger",
        ledgers.show_all,
        query=("after", "limit"),
        large=True,
        lines=ledgers.lines,
    ),
    ControlRoute("GET", ACCOUNT, ledgers.show, large=True),
    ControlRoute("PUT", ACCOUNT, ledgers.replace_rows, ledgers.Rows, large=True),
    ControlRoute("PUT", ROW, ledgers.put_row, dict[str, Any], query=("venue",), large=True),
    ControlRoute("DELETE", ROW, ledgers.drop_row, query=("venue",), status=204, large=True),
    ControlRoute(
        "POST", ROW + "/moves", ledgers.move, ledgers.Movement, query=("venue",), large=True
    ),
    ControlRoute(
        "POST", SANDBOX + "/events/{provider}", ledgers.happen, dict[str, Any], large=True
    ),
    ControlRoute(
        "GET", REQUESTS, entries.index, query=(*entries.FILTERS, "after", "limit"), large=True
    ),
    ControlRoute("DELETE", REQUESTS, entries.clear, status=204),
    ControlRoute(
        "POST", REQUESTS + "/verify", verification.verify, verification.Verification, large=True
    ),
    ControlRoute("GET", REQUESTS + "/{n}", entries.show, large=True),
    ControlRoute("GET", REQUESTS + ".har", entries.har, large=True),
    ControlRoute("GET", SANDBOX + "/coverage", entries.coverage, large=True),
)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))


COMPILED = [(_pattern(verb.path), verb) for verb in VERBS]


def find(method: str, path: str) -> tuple[ControlRoute, dict[str, str]]:
    """Returns the verb for a raw path below ``/__admin``, and its parameters; raises Refused."""
    others = []
    for pattern, verb in COMPILED:
        found = pattern.fullmatch(path)
        if found is None:
            continue
        if verb.method == method:
            return verb, {name: unquote(value) for name, value in found.groupdict().items()}
        others.append(verb.method)
    if not others:
        raise ControlError(404, f"no such path {path}", hint="see /__admin/openapi.json")
    raise not_allowed(method, path, others)


def not_allowed(method: str, path: str, allowed: list[str]) -> ControlError:
    """Returns the refusal of a method that a path has not."""
    refused = ControlError(405, f"{path} has no {method}", hint=f"it has {', '.join(allowed)}")
    refused.allow = allowed
    return refused


def call(
    app: Any,
    method: str,
    path: str,
    body: Any = None,
    query: Mapping[str, str] | None = None,
    origin: str = "",
) -> tuple[int, Any]:
    """Carries a call out; returns status and answer, raises Refused and then nothing changed."""
    status, answer = carry_out(app, *find(method, path), body, query or {}, origin)
    return status, plain(answer)


def carry_out(
    app: Any,
    verb: ControlRoute,
    parameters: Mapping[str, str],
    body: Any,
    query: Mapping[str, str],
    origin: str,
) -> tuple[int, Any]:
    """Carries out a verb that was found; as ``call``, but an answer may hold Items."""
    for name in query:
        if name not in verb.query:
            known = choices(name, verb.query) if verb.query else "it takes none"
            raise ControlError(400, f"no parameter {name}", f"?{name}", known)
    if verb.body is None and body is not None:
        raise ControlError(400, "a body where none is read", hint="send none")
    try:
        if verb.body is not None:
            body = typed({} if body is None else body, verb.body)
        named = "id" in parameters and not verb.makes
        sandbox = known_sandbox(app, parameters["id"]) if named else None
        return verb.status, verb.do(ControlCall(app, origin, parameters, query, body, sandbox))
    except ControlError:
        raise
    except RecursionError:
        raise ControlError(400, "nested too deeply", hint="nothing has changed") from None
    except ValueError as error:
        raise ControlError(400, str(error), hint="nothing has changed") from None
