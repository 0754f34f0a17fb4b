"""The routes of the control API, how a route is found, and how a call of it is carried out."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from mockserver.control import (
    clock,
    documents,
    fault_kinds,
    faults,
    journal,
    judgement,
    ledger,
    ports,
    sandboxes,
    signing,
    snapshots,
    trust,
    upcoming,
    verification,
)
from mockserver.control.chunks import plain
from mockserver.control.routes import (
    ControlCall,
    ControlRoute,
    MethodNotAllowed,
    convert,
    known_sandbox,
)
from mockserver.errors import ControlError, InvalidCall
from mockserver.model.suggestions import choices

SANDBOX = "/sandboxes/{id}"
ACCOUNT = SANDBOX + "/ledger/{provider}/{account}"
ROW = ACCOUNT + "/{asset}"
REQUESTS = SANDBOX + "/requests"
SNAPSHOTS = SANDBOX + "/snapshots"
Limits = dict[str, sandboxes.Setting | None] | str

ROUTES = (
    ControlRoute("GET", "/health", sandboxes.health),
    ControlRoute("GET", "/providers", sandboxes.providers),
    ControlRoute("GET", "/worlds", sandboxes.shipped_worlds),
    ControlRoute("GET", "/scenarios", faults.shipped_scenarios),
    ControlRoute("GET", "/providers/{provider}/openapi.json", documents.provider_document),
    ControlRoute("POST", "/providers/{provider}/refuse", ports.refuse, ports.Refusal, large=True),
    ControlRoute("GET", "/facts", documents.facts),
    ControlRoute("GET", "/faults/kinds", fault_kinds.show),
    ControlRoute("GET", "/trust", trust.show),
    ControlRoute("GET", "/sandboxes", sandboxes.index),
    ControlRoute(
        "POST",
        "/sandboxes",
        sandboxes.create,
        sandboxes.SandboxSpec,
        query=("full",),
        status=201,
        creates=True,
        large=True,
    ),
    ControlRoute(
        "PUT",
        SANDBOX,
        sandboxes.create,
        sandboxes.SandboxSpec,
        query=("full",),
        status=201,
        creates=True,
        large=True,
    ),
    ControlRoute("GET", SANDBOX, sandboxes.show, query=("full",)),
    ControlRoute("DELETE", SANDBOX, sandboxes.delete, status=204),
    ControlRoute("POST", SANDBOX + "/reset", sandboxes.reset, query=("full",), large=True),
    ControlRoute("GET", SNAPSHOTS, snapshots.index),
    ControlRoute("POST", SNAPSHOTS, snapshots.take, snapshots.SnapshotSpec, status=201, large=True),
    ControlRoute("GET", SNAPSHOTS + "/{name}", snapshots.show, large=True),
    ControlRoute("DELETE", SNAPSHOTS + "/{name}", snapshots.delete, status=204),
    ControlRoute(
        "POST",
        SANDBOX + "/restore",
        snapshots.restore,
        snapshots.Restore,
        query=("full",),
        large=True,
    ),
    ControlRoute(
        "POST",
        SANDBOX + "/fork",
        snapshots.fork,
        snapshots.Fork,
        query=("full",),
        status=201,
        large=True,
    ),
    ControlRoute("POST", SANDBOX + "/rewind", snapshots.rewind, snapshots.Rewind, large=True),
    ControlRoute("GET", SANDBOX + "/world", snapshots.world, large=True),
    ControlRoute("GET", SANDBOX + "/quirks", sandboxes.quirks),
    ControlRoute(
        "PATCH", SANDBOX + "/quirks", sandboxes.set_quirks, dict[str, sandboxes.Setting | None]
    ),
    ControlRoute("GET", SANDBOX + "/limits", sandboxes.limits),
    ControlRoute("PATCH", SANDBOX + "/limits", sandboxes.set_limits, Limits),
    ControlRoute("GET", SANDBOX + "/limits/usage", upcoming.usage, large=True),
    ControlRoute("GET", SANDBOX + "/upcoming", upcoming.upcoming, large=True),
    ControlRoute("POST", SANDBOX + "/sign", signing.sign, signing.SignRequest, large=True),
    ControlRoute("POST", SANDBOX + "/judge", judgement.judge, judgement.Judgement, large=True),
    ControlRoute("GET", SANDBOX + "/clock", clock.show),
    ControlRoute("POST", SANDBOX + "/clock", clock.change, clock.ClockChange, large=True),
    ControlRoute("GET", SANDBOX + "/faults", faults.index, large=True),
    ControlRoute("POST", SANDBOX + "/faults", faults.create, dict[str, Any], large=True),
    ControlRoute("DELETE", SANDBOX + "/faults", faults.clear, status=204),
    ControlRoute("DELETE", SANDBOX + "/faults/{name}", faults.delete, status=204),
    ControlRoute("GET", SANDBOX + "/scenario", faults.show_scenario, large=True),
    ControlRoute("PUT", SANDBOX + "/scenario", faults.play, dict[str, Any], large=True),
    ControlRoute("DELETE", SANDBOX + "/scenario", faults.stop, status=204),
    ControlRoute(
        "GET",
        SANDBOX + "/ledger",
        ledger.show_all,
        query=("after", "limit"),
        large=True,
        stream_lines=ledger.stream_lines,
    ),
    ControlRoute("GET", ACCOUNT, ledger.show, large=True),
    ControlRoute("PUT", ACCOUNT, ledger.replace_rows, ledger.Rows, large=True),
    ControlRoute("PUT", ROW, ledger.put_row, dict[str, Any], query=("venue",), large=True),
    ControlRoute("DELETE", ROW, ledger.delete_row, query=("venue",), status=204, large=True),
    ControlRoute(
        "POST", ROW + "/moves", ledger.move, ledger.Movement, query=("venue",), large=True
    ),
    ControlRoute(
        "POST", SANDBOX + "/events/{provider}", ledger.apply_event, dict[str, Any], large=True
    ),
    ControlRoute(
        "GET", REQUESTS, journal.index, query=(*journal.FILTERS, *journal.PAGING), large=True
    ),
    ControlRoute("DELETE", REQUESTS, journal.clear, status=204),
    ControlRoute(
        "POST", REQUESTS + "/verify", verification.verify, verification.Verification, large=True
    ),
    ControlRoute("GET", REQUESTS + "/{n}", journal.show, large=True),
    ControlRoute("GET", REQUESTS + ".har", journal.har, query=("n",), large=True),
    ControlRoute("GET", SANDBOX + "/coverage", journal.coverage, large=True),
)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))


_PATTERNS = [(_pattern(route.path), route) for route in ROUTES]


def find(method: str, path: str) -> tuple[ControlRoute, dict[str, str]]:
    """Returns the route for a raw path below ``/__admin``, and the path's parameters.

    Raises ControlError for a path (404) or a method (405) without a route.
    """
    allowed = []
    for pattern, route in _PATTERNS:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        if route.method == method:
            return route, {name: unquote(value) for name, value in match.groupdict().items()}
        allowed.append(route.method)
    if not allowed:
        raise ControlError(404, f"no such path {path}", hint="see /__admin/openapi.json")
    raise MethodNotAllowed(method, path, allowed)


def call(
    app: Any,
    method: str,
    path: str,
    body: Any = None,
    query: Mapping[str, str] | None = None,
    origin: str = "",
) -> tuple[int, Any]:
    """Returns a call's status and response body as plain data.

    ``origin`` is the gateway's URL as the caller sees it. Raises ControlError; then nothing has
    changed.
    """
    status, response = carry_out(app, *find(method, path), body, query or {}, origin)
    return status, plain(response)


def carry_out(
    app: Any,
    route: ControlRoute,
    parameters: Mapping[str, str],
    body: Any,
    query: Mapping[str, str],
    origin: str,
) -> tuple[int, Any]:
    """Does what ``call`` does, for a route that was found; a response body may hold Items."""
    for name in query:
        if name not in route.query:
            known = choices(name, route.query) if route.query else "it takes none"
            raise InvalidCall(f"no parameter {name}", f"?{name}", known)
    if route.body is None and body is not None:
        raise InvalidCall("this call takes no body", hint="send none")
    try:
        if route.body is not None:
            body = convert({} if body is None else body, route.body)
        exists = "id" in parameters and not route.creates
        sandbox = known_sandbox(app, parameters["id"]) if exists else None
        return route.status, route.handler(
            ControlCall(app, origin, parameters, query, body, sandbox)
        )
    except ControlError:
        raise
    except RecursionError:
        raise InvalidCall("nested too deeply", hint="nothing has changed") from None
    except ValueError as error:
        raise InvalidCall(str(error), hint="nothing has changed") from None
