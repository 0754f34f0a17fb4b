"""Every provider against its document, as Schemathesis reads it, and against its signatures.

Schemathesis makes requests up from a document, valid ones and others, and objects to answers
that the document does not allow. It runs here as under ``st``, mostly in process, on a clock
that moves on by a second before each signature: equal requests of one second would be one
signature. What was accepted is then sent again with one byte changed.
"""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
import schemathesis
from msgspec.structs import replace
from requests import Request

from contract_tests.support import schema_hooks
from contract_tests.support.changed_requests import state
from contract_tests.support.documents import resolved
from contract_tests.support.evidence import DEVIATIONS, DOCUMENT, having
from contract_tests.support.openapi import Document
from contract_tests.support.processes import CLEAN, serving
from contract_tests.support.provider_readme import BLOCKS, follow, forget
from contract_tests.support.raw import exchange, wire
from contract_tests.support.schema_hooks import (
    HOOKS,
    Deviation,
    Forgiven,
    Signer,
    known,
)
from contract_tests.support.schema_runs import (
    CONFORMANCE,
    EXAMPLE,
    FEW,
    PATIENCE,
    SEED,
    SINGLE,
    START,
    WALKS,
    Run,
    beside,
    explore,
    explored,
    in_process,
    routes,
    settings,
    ticking,
)
from mockserver import HandClock, MockServer
from mockserver.client.provider import ProviderHandle
from mockserver.client.remote import RemoteServer
from mockserver.engine.journal import JournalEntry
from mockserver.files.documents import facts, openapi_document
from mockserver.model.http import UnsignedRequest
from mockserver.providers import discover

HOOK_FILE = schema_hooks.__file__
KNOWN = known()

DEVIATING = having(DEVIATIONS)
every_provider = pytest.mark.parametrize("provider", DEVIATING)


# The documents


@every_provider
def test_schemathesis_objects_to_no_answer(provider: str) -> None:
    run = explored(provider)
    assert run.objections == []
    assert set(SINGLE) <= set(run.phases)
    assert set(run.accepted) == routes(provider)


@pytest.mark.parametrize("provider", ["cdp", "coinstats", "coinw"])  # `st` runs the others
def test_schemathesis_objects_to_no_answer_of_a_running_server(
    monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    clock = HandClock(START)
    with MockServer(limits="off", real=clock) as server:
        handle: ProviderHandle = getattr(server, provider)
        location = beside(handle.base_url)
        config = settings(FEW, SINGLE)
        schema = schemathesis.openapi.from_url(location, config=config)
        signer = Signer(handle.provider, handle.credentials, ticking(clock))
        run = explore(schema, server, provider, signer)
    assert run.objections == []
    assert set(run.accepted) == routes(provider)


THIMBLE = """
openapi: 3.1.0
info: {title: The smallest exchange, version: v1}
security: [Token: []]
paths:
  /wallet:
    get:
      operationId: wallet
      responses:
        "200":
          description: What is there.
          content: {application/json: {schema: {const: {GOLD: "%s"}}}}
        "401":
          description: Nobody.
          content: {application/json: {schema: {type: object, required: [oops]}}}
components:
  securitySchemes: {Token: {type: apiKey, in: header, name: X-Token}}
"""


@pytest.mark.parametrize(
    ("amount", "objected"), [("1.50", set()), ("1.51", {"response_schema_conformance"})]
)
def test_a_provider_of_a_test_is_run_like_the_others(
    folder: Path,
    amount: str,
    objected: set[str],
) -> None:
    for _, block in BLOCKS[:2]:
        follow(folder, block)
    (folder / "thimble/openapi.yaml").write_text(THIMBLE % amount)
    forget()
    openapi_document.cache_clear()
    run = in_process("thimble", *SINGLE, world="thimble.yaml")
    assert {objection.check for objection in run.objections} == objected
    assert (run.statuses, set(run.accepted)) == ({200, 401, 405}, {"wallet"})


def test_every_answer_is_one_that_the_page_of_coinstats_declares() -> None:
    data = deepcopy(openapi_document("coinstats"))
    path = "/v1/exchange/balance"
    data["paths"] = {path: data["paths"][path]}
    responses = data["paths"][path]["post"]["responses"]
    responses["200"].pop("links")
    for ours in {*responses} - {"200", "400", "401", "403", "404", "409", "429", "503"}:
        del responses[ours]
    run = in_process("coinstats", "examples", "coverage", data=data, examples=FEW)
    assert run.objections == []
    assert run.statuses >= {200, 400, 401}


# What is known beforehand


def hides(deviation: Deviation) -> bool:
    """Tells whether a deviation is about refusals under a good status."""
    return deviation.check == "ignored_auth"


@every_provider
def test_only_a_known_deviation_refuses_under_a_good_status(provider: str) -> None:
    hidden = {e.operation for e in explored(provider).journal if e.reason and e.status < 400}
    assert hidden == {id for d in KNOWN[provider].deviations if hides(d) for id in d.operations}


@every_provider
def test_no_example_of_a_document_needs_forgiveness(provider: str) -> None:
    forgiven = {met.check for met in explored(provider).forgiven if met.phase == "examples"}
    assert forgiven == {d.check for d in KNOWN[provider].deviations if hides(d)}


DEVIATIONS = [
    pytest.param(name, deviation, operation, id=f"{operation}-{deviation.status}")
    for name, row in KNOWN.items()
    for deviation in row.deviations
    for operation in deviation.operations
]


@pytest.mark.parametrize(("provider", "deviation", "operation"), DEVIATIONS)
def test_every_deviation_is_really_there(
    provider: str, deviation: Deviation, operation: str
) -> None:
    run = in_process(provider, *EXAMPLE, data=brought_about(provider, deviation, operation))
    assert run.objections == []
    assert set(run.forgiven) == {Forgiven(deviation.check, operation, deviation.status, "examples")}


def brought_about(provider: str, deviation: Deviation, operation: str) -> dict[str, Any]:
    """Returns a document of one operation, whose examples bring a deviation about."""
    data = deepcopy(openapi_document(provider))
    method, path, node = Document(data).operations()[operation]
    data["paths"] = {path: {method.lower(): node}}
    node["responses"]["200"].pop("links", None)
    body = dict(deviation.given)
    for parameter in (resolved(data, parameter) for parameter in node.get("parameters", [])):
        if parameter["name"] in body:
            parameter["example"] = body.pop(parameter["name"])
    if body:
        content = node["requestBody"]["content"]["application/json"]
        content["example"] = content["example"] | body
    return data


@every_provider
def test_deviations_rest_on_facts(provider: str) -> None:
    cited = {deviation.fact for deviation in KNOWN[provider].deviations}
    assert cited <= {fact.id for fact in facts(provider)}


def test_nothing_is_known_of_a_provider_that_is_not_there() -> None:
    assert set(KNOWN) <= set(discover())


# The limits, and the statuses that are met in all

LIMITS = [(name, limit.name) for name in DEVIATING for limit in discover()[name].limits]


@cache
def limited(provider: str, limit: str) -> Run:
    """Returns a run in which a limit lets nothing through."""
    limits = {f"{provider}.{limit}": "0/1h"}
    return in_process(provider, *EXAMPLE, limits=limits, checks=CONFORMANCE)


@pytest.mark.parametrize(("provider", "limit"), LIMITS)
def test_a_full_limit_answers_as_the_document_says(provider: str, limit: str) -> None:
    run = limited(provider, limit)
    assert run.objections == []
    assert "rate_limited" in {entry.reason for entry in run.journal} <= {"rate_limited", ""}


@every_provider
def test_every_status_is_met_that_is_known_and_no_other(provider: str) -> None:
    met = explored(provider).statuses.union(
        {deviation.status for deviation in KNOWN[provider].deviations},
        *(limited(name, limit).statuses for name, limit in LIMITS if name == provider),
    )
    assert met == set(KNOWN[provider].statuses)


# The signer


def foreign(provider: str) -> Mapping[str, Any]:
    """Returns a credential of another sandbox."""
    handle: ProviderHandle = getattr(MockServer().sandbox(), provider)
    return handle.credentials


def with_the_right_key(provider: str) -> Mapping[str, Any]:
    """Returns a credential whose key is the right one, and whose secret is foreign."""
    handle: ProviderHandle = getattr(MockServer(), provider)
    key = handle.provider.key
    return {**foreign(provider), key: handle.credentials[key]}


WRONG = [(name, foreign) for name in DEVIATING] + [
    (name, with_the_right_key) for name in DEVIATING if KNOWN[name].signs
]


@pytest.mark.parametrize(("provider", "credential"), WRONG)
def test_a_signer_that_is_always_wrong_fails_the_run(
    provider: str, credential: Callable[[str], Mapping[str, Any]]
) -> None:
    run = in_process(provider, *EXAMPLE, credential=credential(provider))
    assert {objection.operation for objection in run.objections} == routes(provider)
    checks = {objection.check for objection in run.objections}
    assert checks <= {"positive_data_acceptance", "journal_agrees"}


@every_provider
def test_equal_requests_are_signed_apart_where_they_are_good_once(provider: str) -> None:
    handle: ProviderHandle = getattr(MockServer(), provider)
    signer = Signer(handle.provider, handle.credentials, now=lambda: START)
    signed = [signer(Request("GET", "http://127.0.0.1/").prepare()) for _ in range(FEW)]
    apart = {(request.url, str(request.headers)) for request in signed}
    assert len(apart) == (FEW if "replayed" in handle.provider.errors else 1)


# One byte changed


class Client:
    """A client of a server that nobody else calls: signs, and writes its own bytes."""

    def __init__(self, server: MockServer, provider: str, clock: HandClock) -> None:
        self.server, self.provider, self._clock = server, provider, clock
        self.handle: ProviderHandle = getattr(server, provider)
        self.host = urlsplit(self.handle.base_url).netloc

    def addressed(self, draft: UnsignedRequest) -> UnsignedRequest:
        return replace(draft, host=self.host)

    def signed(self, draft: UnsignedRequest) -> UnsignedRequest:
        headers = {name.decode(): value.decode() for name, value in draft.headers}
        return self.handle.auth.sign(draft.method, draft.target, draft.body, draft.host, headers)

    def accepts(self, draft: UnsignedRequest) -> bytes:
        """Signs and sends, and returns the body of an answer that is good, or nothing."""
        self._clock.advance("1s")
        answer, entry = self.sent(self.signed(draft))
        self._clock.advance("1s")
        good = (entry.status, entry.reason) == (200, "")
        return answer.partition(b"\r\n\r\n")[2] if good else b""

    def sent(self, draft: UnsignedRequest) -> tuple[bytes, JournalEntry]:
        journal = self.server.app.sandboxes.default.journal
        count = journal.count
        answer = exchange(self.handle.base_url, wire(draft))
        assert journal.count == count + 1, answer
        return answer, journal.entries[-1]


@contextmanager
def calling(provider: str) -> Iterator[Client]:
    """Serves a provider for one client, whose main read has been answered."""
    clock = HandClock(START)
    with MockServer(limits="off", real=clock) as server:
        client = Client(server, provider, clock)
        main = client.handle.example
        path = client.handle.provider.base_path.encode() + main.path
        assert client.accepts(client.addressed(replace(main, path=path)))
        yield client


class Tokens(NamedTuple):
    """What a signer adds to a request."""

    headers: tuple[tuple[bytes, bytes], ...]
    query: bytes


def tokens(draft: UnsignedRequest, signed: UnsignedRequest) -> Tokens:
    added = signed.query[len(draft.query) :]
    return Tokens(signed.headers[len(draft.headers) :], added.removeprefix(b"&"))


def carrying(draft: UnsignedRequest, added: Tokens) -> UnsignedRequest:
    query = b"&".join(part for part in (draft.query, added.query) if part)
    return replace(draft, headers=draft.headers + added.headers, query=query)


ON_THE_WAY, FOR_ANOTHER = "changed on the way", "signed for another"
PLACES = 2
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def other(byte: int) -> int:
    """Returns a neighbour that may stand in a URL and a header as well."""
    return byte ^ 1 if 0x21 < byte ^ 1 < 0x7F else byte ^ 2


def changed(raw: bytes, first: int = 0) -> Iterator[bytes]:
    """Yields the bytes again, each time with another one changed: the last, and some before."""
    places = range(first, len(raw))
    drawn = random.Random(SEED).sample(places, min(PLACES, len(places)))
    for place in sorted({*drawn, *places[-1:]}):
        yield raw[:place] + bytes([other(raw[place])]) + raw[place + 1 :]


# Drafts that differ from one in a single part.
PARTS: dict[str, Callable[[UnsignedRequest], Iterator[UnsignedRequest]]] = {
    "method": lambda d: (replace(d, method=method) for method in METHODS if method != d.method),
    "host": lambda d: (replace(d, host=raw.decode()) for raw in changed(d.host.encode(), 8)),
    "path": lambda d: (replace(d, path=raw) for raw in (*changed(d.path, 1), d.path + b"1")),
    "query": lambda d: (
        replace(d, query=raw) for raw in (*changed(d.query), (d.query + b"&x=1").lstrip(b"&"))
    ),
    "body": lambda d: (replace(d, body=raw) for raw in (*changed(d.body), d.body + b"1")),
}


def spoiled(added: Tokens) -> Iterator[Tokens]:
    """Yields tokens with one byte changed, and none at all."""
    for n, (name, value) in enumerate(added.headers):
        for raw in changed(value):
            headers = (*added.headers[:n], (name, raw), *added.headers[n + 1 :])
            yield Tokens(headers, added.query)
    for raw in changed(added.query):
        yield Tokens(added.headers, raw)
    yield Tokens((), b"")


class Attempt(NamedTuple):
    """A request that was tampered with: which part, how, and what is sent."""

    part: str
    how: str
    sent: UnsignedRequest


def attempts(
    client: Client, draft: UnsignedRequest, elsewhere: list[UnsignedRequest]
) -> Iterator[Attempt]:
    """Yields a request that goes with what is not its own, and another with what is."""
    own = tokens(draft, client.signed(draft))
    variants = [(part, d) for part, change in PARTS.items() for d in change(draft)]
    for part, variant in [*variants, *(("request", other) for other in elsewhere)]:
        others = tokens(variant, client.signed(variant))
        if others != own:
            yield Attempt(part, ON_THE_WAY, carrying(variant, own))
            yield Attempt(part, FOR_ANOTHER, carrying(draft, others))
    for added in spoiled(own):
        yield Attempt("token", ON_THE_WAY, carrying(draft, added))


def refused(client: Client, attempt: Attempt) -> bool:
    """Tells whether a request was refused, in the journal and in the status."""
    _, entry = client.sent(attempt.sent)
    reasons = {"bad_signature"} if attempt.how == FOR_ANOTHER else {entry.reason} - {""}
    hidden = any(hides(deviation) for deviation in KNOWN[client.provider].deviations)
    return entry.reason in reasons and (entry.status >= 400 or (hidden and entry.status == 200))


@every_provider
def test_one_byte_changed_is_refused_and_changes_nothing(provider: str) -> None:
    accepted = explored(provider).accepted
    covered, tampered, leaks = set(), set(), []
    with calling(provider) as client:
        drafts = {id: [client.addressed(d) for d in (ds[0], ds[-1])] for id, ds in accepted.items()}
        for operation, draft in ((id, draft) for id in drafts for draft in drafts[id]):
            if not client.accepts(draft):  # it named what only the run that made it up had
                continue
            before = state(client.server)
            tried = list(attempts(client, draft, [ds[0] for ds in drafts.values()]))
            leaks += [attempt for attempt in tried if not refused(client, attempt)]
            assert state(client.server) == before
            tampered.add(operation)
            covered |= {attempt.part for attempt in tried}
    assert leaks == []
    assert tampered == routes(provider)
    assert covered - {"request"} == {"token", *KNOWN[provider].signs}


# Links

LINKS = [
    (name, operation, link)
    for name in having(DOCUMENT)
    for operation, (_, _, node) in Document(openapi_document(name)).operations().items()
    for link in node["responses"]["200"].get("links", {})
]


@pytest.mark.parametrize("provider", sorted({provider for provider, _, _ in LINKS}))
def test_schemathesis_objects_to_no_answer_along_the_links(provider: str) -> None:
    run = in_process(provider, "stateful", examples=WALKS)
    assert run.objections == []
    assert run.phases[-1] == "stateful"


@pytest.mark.parametrize(("provider", "operation", "link"), LINKS)
def test_every_link_leads_to_a_good_answer(provider: str, operation: str, link: str) -> None:
    with calling(provider) as client:
        for draft in map(client.addressed, explored(provider).accepted[operation]):
            answered = client.accepts(draft)
            link_target = answered and target(
                provider, draft, operation, link, json.loads(answered)
            )
            if link_target:
                assert client.accepts(link_target)
                return
    pytest.fail("no answer has what the link needs")


def target(
    provider: str, draft: UnsignedRequest, operation: str, link: str, body: Any
) -> UnsignedRequest | None:
    """Returns where a link of an answer leads, or None where it lacks what the link needs."""
    operations = Document(openapi_document(provider)).operations()
    _, template, node = operations[operation]
    leads = node["responses"]["200"]["links"][link]
    parameters = {name: values[0] for name, values in parse_qs(draft.query.decode()).items()}
    parameters |= captured(template, draft.path.decode())
    values = {n: valued(e, parameters, body) for n, e in leads["parameters"].items()}
    if None in (values[n] for n, e in leads["parameters"].items() if e.startswith("$response")):
        return None
    method, path, _ = operations[leads["operationId"]]
    base = discover()[provider].base_path
    path = re.sub(r"\{(\w+)\}", lambda m: quote(str(values.pop(m[1])), safe=""), base + path)
    query = urlencode({name: value for name, value in values.items() if value is not None})
    return UnsignedRequest(method, draft.host, path.encode(), query.encode())


def captured(template: str, path: str) -> dict[str, str]:
    """Returns the parameters that a path has."""
    match = re.search(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template) + "$", path)
    return match.groupdict() if match else {}


def valued(expression: str, parameters: Mapping[str, str], body: Any) -> Any:
    """Returns what a runtime expression stands for, or None."""
    place, _, pointer = expression.partition("#/")
    if place != "$response.body":
        return parameters.get(place.rpartition(".")[2])
    for step in pointer.split("/"):
        body = body[int(step)] if isinstance(body, list) else body.get(step)
    return body


# The command, as a reader of the README types it


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with serving("--limits", "off", cwd=tmp_path_factory.mktemp("served")) as (_, description):
        yield description


def st(description: Mapping[str, Any], provider: str, folder: Path) -> tuple[int, str]:
    """Runs ``st`` against a provider's document, and returns its status and what it printed."""
    location = beside(description["providers"][provider]["base_url"])
    options = ["--max-examples", str(FEW), "--seed", str(SEED), "--phases", "examples,coverage"]
    urls = {"MOCKSERVER_URL": description["gateway"], "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", location, "--no-color", *options],
        capture_output=True,
        cwd=folder,
        env=CLEAN | {HOOKS: HOOK_FILE} | urls,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


# One whose media type is odd, and one whose signatures are good once.
@pytest.mark.parametrize("provider", ["coinapi", "cpg"])
def test_st_finds_nothing(served: dict[str, Any], provider: str, tmp_path: Path) -> None:
    status, printed = st(served, provider, tmp_path)
    assert status == 0, printed
    assert re.search(rf"Tested: {len(routes(provider))}$", printed, re.MULTILINE)
    assert "No issues found" in printed


def test_st_finds_a_key_that_is_refused(served: dict[str, Any], tmp_path: Path) -> None:
    server = RemoteServer(served["gateway"])
    server.coinapi.event("key_revoked", key="main")
    status, printed = st(served, "coinapi", tmp_path)
    server.reset()
    assert status == 1, printed
    assert "Schema-valid request rejected" in printed
