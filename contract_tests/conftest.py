"""What every test shares: a running server, and the documents as silent witnesses."""

import os
from collections.abc import Iterator

import pytest

from contract_tests.support.evidence import DOCUMENT, having, incomplete
from contract_tests.support.openapi import Document, Mismatch
from mockserver import MockServer
from mockserver.engine import pipeline
from mockserver.engine.pipeline import Outcome
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT
from mockserver.files.documents import openapi_document
from mockserver.model.http import Request

os.environ.pop("MAKELEVEL", None)  # `make test` is no `make run`: errors do not name make's ARGS
DOCUMENTS = {name: Document(openapi_document(name)) for name in having(DOCUMENT)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the rows of a provider that lacks something: test_evidence.py says what to add."""
    for item in items:
        if " at 0x" in item.nodeid:  # two workers would not collect the same tests
            raise pytest.UsageError(f"an address in the id of a test: {item.nodeid}")
    lacking = {*incomplete()}
    for item in items if lacking else ():
        row = getattr(item, "callspec", None)
        values = row.params.values() if row and "evidence" not in item.nodeid else ()
        parts = [[v, getattr(v, "name", ""), getattr(v, "provider", "")] for v in values]
        names = {part for value in parts for part in value if isinstance(part, str)}
        for name in lacking & names:
            item.add_marker(pytest.mark.skip(reason=f"{name} lacks what test_evidence.py names"))


@pytest.fixture(autouse=True)
def witnessed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Holds every answer that a default-quirks sandbox gives, unhurt, against its document."""
    mismatches: list[str] = []
    plain = pipeline.respond

    def respond(sandbox: Sandbox, provider: str, request: Request, **door: bool) -> Outcome:
        with sandbox.lock:
            outcome = plain(sandbox, provider, request, **door)
            entry = sandbox.journal.entries[-1]
        operation = entry.operation
        if entry.fault:
            return outcome  # what a rule made of it is in no document
        if operation and provider in DOCUMENTS and not sandbox.settings.quirks:
            try:
                DOCUMENTS[provider].check(operation, outcome.response)
            except Mismatch as mismatch:
                mismatches.append(f"{provider}: {mismatch}")
        return outcome

    monkeypatch.setattr(pipeline, "respond", respond)
    yield
    assert mismatches == []


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    """A server of the default world, on free ports."""
    with MockServer() as server:
        yield server


@pytest.fixture
def server(running: MockServer) -> MockServer:
    """The module's server, as new: to start and stop one for each test takes a fifth of a second."""
    for sandbox in running.app.sandboxes:
        if sandbox.id != DEFAULT:
            running.app.sandboxes.drop(sandbox.id)
    running.app.admin_token = None
    running.reset()
    return running
