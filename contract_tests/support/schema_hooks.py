"""Schemathesis against the mock: signs every request, and knows where a real API is odd.

A hook file for ``st run``, from the repository's root:

    mockserver serve --limits off
    SCHEMATHESIS_HOOKS=contract_tests/support/schema_hooks.py st run http://127.0.0.1:8495/openapi.json

``MOCKSERVER_URL`` says where the gateway is when it is not on port 8490: it tells whose
document that is, and the credentials. The tests put the same functions to use in process.
"""

import os
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import schemathesis
from msgspec import Struct
from requests import PreparedRequest
from requests.auth import AuthBase

from mockserver import Auth
from mockserver.client.provider import ProviderHandle
from mockserver.client.remote import RemoteServer
from mockserver.client.sandbox import Sandbox
from mockserver.files import strict_yaml
from mockserver.model.provider import Provider, ReplayCheck
from mockserver.model.times import SECOND
from mockserver.providers import discover

HOOKS = "SCHEMATHESIS_HOOKS"  # how ``st`` is told of this file
GATEWAY = "http://127.0.0.1:8490"
CASE = "X-Schemathesis-TestCaseId"

# Valid data is accepted, whatever Schemathesis thinks of 401, 403, 404, 429 and 5xx: with those
# a signer that is always wrong would pass. What is wrong with invalid data is never the caller.
STATUSES = {
    "positive_data_acceptance": ["2xx"],
    "negative_data_rejection": ["400", "404", "405", "406", "413", "415", "422", "490"],
}

MARGIN = 10  # seconds that a timestamp stays off the edge of its window


# What is known beforehand


class Deviation(Struct, frozen=True, forbid_unknown_fields=True):
    """An answer that a check objects to, and why it is right all the same.

    ``given`` are parameters, or members of the body, without which it would not be, each with
    a value that shows it; ``text`` stands in the answer.
    """

    check: str
    operations: tuple[str, ...]
    status: int
    reason: str
    fact: str
    given: dict[str, Any] = {}
    text: str = ""


class Known(Struct, frozen=True, forbid_unknown_fields=True):
    """What a provider signs, the statuses that are met, and where it deviates."""

    signs: tuple[str, ...]
    statuses: tuple[int, ...]
    deviations: tuple[Deviation, ...] = ()


class Forgiven(NamedTuple):
    """An objection that a deviation answered."""

    check: str
    operation: str
    status: int
    phase: str


def known() -> Mapping[str, Known]:
    """Returns what is known, by provider."""
    text = Path(__file__).with_name("deviations.yaml").read_text(encoding="utf-8")
    return msgspec.convert(strict_yaml.load(text), dict[str, Known])


# What a schema needs


class Signer(AuthBase):
    """Signs as a client does that never sends the same bytes twice where they are good once.

    Signed within one second, equal requests are one signature; so one that was signed before
    gets the nearest second that it has not had, within the window of its timestamp.
    """

    def __init__(
        self,
        provider: Provider,
        credential: Mapping[str, Any],
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._provider, self._credential, self._now = provider, credential, now
        self._reach = reach(provider)
        self._used: dict[tuple[Any, ...], set[int]] = defaultdict(set)
        self._lock = threading.Lock()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        second = self._second((request.method, request.url, request.body))
        return Auth(self._provider, self._credential, now=lambda: second * SECOND)(request)

    def _second(self, asked: tuple[Any, ...]) -> int:
        now = self._now() // SECOND
        with self._lock:
            used = self._used[asked]
            second = next((s for s in around(now, self._reach) if s not in used), now)
            used.add(second)
        return second


def reach(provider: Provider) -> int:
    """Returns how many seconds a timestamp may be off: none where nothing is good only once."""
    quirks = {quirk.name: quirk.read(quirk.default) for quirk in provider.quirks}
    gates = (*provider.outer, *provider.gates)
    windows = [gate.window(quirks) // 2 for gate in gates if isinstance(gate, ReplayCheck)]
    return max(min(windows, default=0) // SECOND - MARGIN, 0)


def around(now: int, reach: int) -> Iterator[int]:
    """Yields the seconds around one, the nearest first."""
    yield now
    for off in range(1, reach):
        yield from (now - off, now + off)


SANDBOXES: dict[int, Sandbox] = {}  # by the id of a schema, which has no hash


def equip(
    schema: Any, sandbox: Sandbox, provider: str, auth: AuthBase, met: list[Forgiven]
) -> None:
    """Lets a schema sign, expect and forgive; what is forgiven is added to ``seen_counts``."""
    config = schema.config
    for check, statuses in STATUSES.items():
        # Anew: of settings that were read from somewhere, a change by hand is not looked at.
        read = getattr(config.checks, check)
        anew = type(read)(enabled=read.enabled, expected_statuses=statuses)
        setattr(config.checks, check, anew)
    config.generation.update(with_security_parameters=False)  # the signer's to give
    config.phases.stateful.inference.algorithms = []  # only the document's own links
    config.output.sanitization.update(enabled=False)  # a page token is no secret here
    schema.auth.set_from_requests(auth)
    deviations = known()[provider].deviations if provider in known() else ()

    def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
        for deviation in deviations:
            if answers(deviation, failure, case, response):
                phase = case.meta.phase.name.value
                met.append(
                    Forgiven(deviation.check, operation_id(case), response.status_code, phase)
                )
                return False
        return True

    schema.hook(filter_failure)
    schema.hook(map_case)
    if any(deviation.check == "ignored_auth" for deviation in deviations):
        SANDBOXES[id(schema)] = sandbox


def map_case(context: Any, case: Any) -> Any:
    """Gives every other valid body the members that the document's example has.

    Of texts that are made up hardly any names something that the server knows.
    """
    body = case.operation.definition.raw.get("requestBody", {})
    example = body.get("content", {}).get(case.media_type, {}).get("example")
    if example and isinstance(case.body, dict) and case.meta.generation.mode.is_positive:
        if zlib.crc32(repr(case.body).encode("utf-8", "surrogatepass")) % 2:
            case.body = case.body | example
    return case


def operation_id(case: Any) -> str:
    return case.operation.schema.get_operation_id(case.operation)


def answers(deviation: Deviation, failure: Any, case: Any, response: Any) -> bool:
    """Tells whether a failure is what a deviation is about."""
    return (
        deviation.check in failure.checks
        and operation_id(case) in deviation.operations
        and response.status_code == deviation.status
        and deviation.text.encode() in response.content
        and deviation.given.keys() <= given(case)
    )


def given(case: Any) -> set[str]:
    """Returns the names of what a case carries: parameters with a value, members of its body."""
    body = case.body if isinstance(case.body, dict) else {}
    parameters = {**(case.path_parameters or {}), **(case.query or {})}
    return {*body, *(name for name, value in parameters.items() if value != "")}


@schemathesis.check
def journal_agrees(ctx: Any, response: Any, case: Any) -> None:
    """Holds that valid data with a good status was accepted, as the journal has it.

    An API that refuses under HTTP 200 would otherwise hide a signature that is always wrong.
    """
    sandbox = SANDBOXES.get(id(case.operation.schema))
    if sandbox and response.status_code < 300 and case.meta.generation.mode.is_positive:
        sandbox.verify(exactly=1, header={CASE: case.id}, reason="")


@schemathesis.deserializer("appliction/json")
def misspelled(ctx: Any, response: Any) -> Any:
    """Reads JSON under the media type that one provider really sends; else it is not looked at."""
    return response.json()


# Under ``st``


def after_load_schema(context: Any, schema: Any) -> None:
    """Equips the schema of whichever provider it was loaded from."""
    server = RemoteServer(os.environ.get("MOCKSERVER_URL", GATEWAY))
    handle = served(server, schema.raw_schema["servers"][0]["url"])
    auth = Signer(handle.provider, handle.credentials)
    equip(schema, server.default, handle.provider.name, auth, [])


def served(server: RemoteServer, base_url: str) -> ProviderHandle:
    """Returns the provider at a base URL; raises LookupError."""
    port = urlsplit(base_url).port
    for name in discover():
        handle: ProviderHandle = getattr(server, name)
        if urlsplit(handle.base_url).port == port:
            return handle
    raise LookupError(f"{server.url} serves no provider at {base_url}")


if HOOKS in os.environ:
    schemathesis.hook(after_load_schema)
