"""Runs of Schemathesis against a provider, in process, and what came of them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from starlette.applications import Starlette
from starlette.routing import Mount

from contract_tests.support.schema_hooks import (
    CASE,
    Forgiven,
    Signer,
    equip,
    operation_id,
)
from mockserver import HandClock, MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.engine.journal import JournalEntry
from mockserver.files.documents import openapi_document
from mockserver.http.asgi import ProviderApp
from mockserver.model.http import UnsignedRequest
from mockserver.model.times import SECOND
from mockserver.providers import discover

SEED = 490
START = 1_800_000_000 * SECOND  # a whole hour
PATIENCE = 60  # seconds, for one run of ``st``

EXAMPLES = 8  # that are made up for an operation
WALKS = 4  # along the links of a document
FEW = 3

PHASES = ("examples", "coverage", "fuzzing", "stateful")
SINGLE = PHASES[:3]  # those that need no links
EXAMPLE = PHASES[:1]

# Examples are those of the document, and a request without any parameter is one too.
SET: dict[str, Any] = {
    "examples": {"fill-missing": True, "extra-data-sources": {"responses": False}}
}

# What every answer has to be, whatever was asked.
CONFORMANCE = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def routes(provider: str) -> set[str]:
    return {route.id for route in discover()[provider].routes}


def beside(base_url: str) -> str:
    """Returns where the document of a base URL is served."""
    return urlsplit(base_url)._replace(path="/openapi.json").geturl()


class Objection(NamedTuple):
    """What a check said, or what kept a run from going on."""

    check: str
    operation: str
    message: str


class Run(NamedTuple):
    """What came of a run.

    ``phases`` are those that went well, ``accepted`` the valid requests that were let through,
    by operation, as they were before they were signed.
    """

    objections: list[Objection]
    forgiven: list[Forgiven]
    phases: list[str]
    statuses: set[int]
    accepted: dict[str, list[UnsignedRequest]]
    journal: list[JournalEntry]


class Noting(AuthBase):
    """Keeps what is signed, as it was before, by the id of its case."""

    def __init__(self, auth: AuthBase) -> None:
        self._auth = auth
        self.unsigned: dict[str, UnsignedRequest] = {}

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        self.unsigned[request.headers[CASE]] = drafted(request)
        return self._auth(request)


def drafted(request: PreparedRequest) -> UnsignedRequest:
    path, _, query = request.path_url.encode().partition(b"?")
    typed = request.headers.get("Content-Type")
    headers = ((b"Content-Type", typed.encode()),) if typed else ()
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    return UnsignedRequest(request.method, urlsplit(request.url).netloc, path, query, headers, body)


def ticking(clock: HandClock) -> Callable[[], int]:
    """Lets a second pass whenever the time is asked for."""

    def now() -> int:
        clock.advance("1s")
        return clock()

    return now


def settings(
    examples: int, phases: tuple[str, ...], checks: tuple[str, ...] = ()
) -> SchemathesisConfig:
    """Returns what a run is set to: the same every time; without ``checks`` all are made."""
    generation = {"max-examples": examples, "deterministic": True, "database": "none"}
    chosen: dict[str, Any] = {name: {"enabled": True} for name in checks}
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "continue-on-failure": True,
            "generation": generation | {"no-shrink": True},
            "phases": {name: {"enabled": name in phases} | SET.get(name, {}) for name in PHASES},
            "checks": {"enabled": not checks, **chosen},
            "cache": {"enabled": False},
            "warnings": False,
        }
    )


def explore(schema: Any, server: MockServer, provider: str, signer: AuthBase) -> Run:
    """Runs all that a schema is set to, and gathers what came of it."""
    run = Run([], [], [], set(), defaultdict(list), [])
    auth = Noting(signer)
    equip(schema, server.default, provider, auth, run.forgiven)
    for event in from_schema(schema).execute():
        if isinstance(event, events.FatalError | events.NonFatalError):
            run.objections.append(Objection("error", getattr(event, "label", ""), str(vars(event))))
        elif isinstance(event, events.PhaseFinished) and event.status.value == "success":
            run.phases.append(event.phase.name.value)
        elif isinstance(event, events.ScenarioFinished):
            gather(run, event.recorder, auth.unsigned)
    run.journal.extend(server.app.sandboxes.default.journal.entries)
    return run


def gather(run: Run, recorder: Any, unsigned: Mapping[str, UnsignedRequest]) -> None:
    """Adds to a run what was recorded of one of its scenarios."""
    for id, interaction in recorder.interactions.items():
        case, status = recorder.cases[id].value, interaction.response.status_code
        run.statuses.add(status)
        if id in unsigned and status == 200 and case.meta.generation.mode.is_positive:
            run.accepted[operation_id(case)].append(unsigned[id])
    for id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info:
                message = f"{check.failure_info.failure.message}\n{check.failure_info.code_sample}"
                operation = operation_id(recorder.cases[id].value)
                run.objections.append(Objection(check.name, operation, message))


def in_process(
    provider: str,
    *phases: str,
    data: Mapping[str, Any] | None = None,
    world: str = "default",
    limits: Any = "off",
    credential: Mapping[str, Any] | None = None,
    examples: int = EXAMPLES,
    checks: tuple[str, ...] = (),
) -> Run:
    """Runs a document against an application of its own; the main read goes before it."""
    clock = HandClock(START)
    server = MockServer(world, limits=limits, real=clock)
    handle: ProviderHandle = getattr(server, provider)
    # Served as on a port of its own; with a host in the document probes would go to look for it.
    raw = {
        **(data or openapi_document(provider)),
        "servers": [{"url": handle.provider.base_path or "/"}],
    }
    config = settings(examples, phases, checks)
    schema = schemathesis.openapi.from_dict(deepcopy(raw), config=config)
    schema.app = Starlette(routes=[Mount("/", ProviderApp(server.app, provider))])
    with handle.client(transport=server.transport) as client:
        ask = handle.example
        client.request(ask.method, ask.target.decode(), content=ask.body, headers=list(ask.headers))
    server.clear_journal()
    signer = Signer(handle.provider, credential or handle.credentials, ticking(clock))
    return explore(schema, server, provider, signer)


@cache
def explored(provider: str) -> Run:
    """Returns the run that several tests look at: all that is made up of single requests."""
    return in_process(provider, *SINGLE)
