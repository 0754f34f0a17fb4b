"""The documents are evidence: they must agree with the code, and be able to object to it."""

import re
from collections.abc import Iterator
from types import NoneType
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest
from msgspec.structs import replace
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from contract_tests.support.documents import documented, examples, good, resolved, send
from contract_tests.support.openapi import Mismatch
from contract_tests.support.raw import exchange, wire
from mockserver.files.documents import Fact, facts, openapi_document
from mockserver.model.http import Response
from mockserver.model.provider import ErrorContext, Provider
from mockserver.model.reject import Reject
from mockserver.providers import discover

pytestmark = pytest.mark.parametrize("provider", discover().values(), ids=list(discover()))


# What no leaf of such a type may become; any other becomes text.
WRONG: dict[type, Any] = {str: 7, NoneType: {}}


def refused(provider: Provider, reason: str, **facts: str) -> Response:
    quirks = {q.name: q.read(q.default) for q in provider.quirks}
    return provider.refuse(Reject(reason, **facts), ErrorContext(quirks))


def refusals(provider: Provider) -> list[Response]:
    """Returns every refusal of the provider, in each of its variants."""
    plain = [refused(provider, reason) for reason in provider.errors]
    variants = [(reason, v) for reason, names in provider.variants.items() for v in names]
    return plain + [refused(provider, reason, variant=v) for reason, v in variants]


def nodes(data: Any) -> Iterator[dict[str, Any]]:
    """Walks everything that is described; what an example holds is not a description."""
    if isinstance(data, dict):
        yield data
        for name, value in data.items():
            if name not in ("example", "examples"):
                yield from nodes(value)
    elif isinstance(data, list):
        for value in data:
            yield from nodes(value)


def answered(media_type: str, body: Any, status: int = 200) -> Response:
    headers = ((b"content-type", media_type.encode()),)
    return Response(status, headers, msgspec.json.encode(body))


def swapped(data: Any) -> Iterator[Any]:
    """Yields ``data`` again and again, each time with the type of another leaf changed."""
    if not isinstance(data, dict | list):
        yield WRONG.get(type(data), "seven")
        return
    for place in data if isinstance(data, dict) else range(len(data)):
        for other in swapped(data[place]):
            copy = data.copy()
            copy[place] = other
            yield copy


# The document and the code


def test_document_is_valid_openapi(provider):
    data = openapi_document(provider.name)
    assert data["openapi"].startswith("3.1.")
    validate(data, cls=OpenAPIV31SpecValidator)


def test_document_has_exactly_the_routes(provider):
    operations = documented(provider).operations()
    assert {(id, method, path) for id, (method, path, _) in operations.items()} == {
        (route.id, route.method, route.path) for route in provider.routes
    }


def test_path_parameters_are_those_of_the_template(provider):
    data = openapi_document(provider.name)
    for _, path, operation in documented(provider).operations().values():
        declared = [resolved(data, p) for p in operation.get("parameters", [])]
        assert sorted(re.findall(r"\{(.*?)\}", path)) == sorted(
            p["name"] for p in declared if p["in"] == "path"
        )


def test_every_refusal_is_declared_everywhere(provider):
    checker = documented(provider)
    for operation in checker.operations():
        for refusal in refusals(provider):
            checker.check(operation, refusal)


def test_no_status_is_declared_in_vain(provider):
    statuses = {"200"} | {str(refusal.status) for refusal in refusals(provider)}
    for _, _, operation in documented(provider).operations().values():
        assert set(operation["responses"]) == statuses


def test_every_answer_comes_with_an_example(provider):
    data = openapi_document(provider.name)
    for _, _, operation in documented(provider).operations().values():
        for declared in operation["responses"].values():
            assert all(examples(c) for c in resolved(data, declared)["content"].values())


def test_examples_validate_against_their_schemas(provider):
    data = openapi_document(provider.name)
    for node in nodes(data):
        if "schema" in node:
            schema = {"allOf": [node["schema"]], "components": data["components"]}
            validator = jsonschema_rs.Draft202012Validator(schema)
            for example in examples(node):
                validator.validate(example)


# The document can object


def test_good_example_passes_the_check(provider):
    for operation in documented(provider).operations():
        documented(provider).check(operation, answered(*good(provider, operation)))


def test_wrong_type_of_any_member_is_a_mismatch(provider):
    checker = documented(provider)
    for operation in checker.operations():
        media_type, example = good(provider, operation)
        for body in swapped(example):
            with pytest.raises(Mismatch, match=f"^{operation} 200: "):
                checker.check(operation, answered(media_type, body))


def test_wrong_type_in_any_refusal_is_a_mismatch(provider):
    checker = documented(provider)
    for reason in provider.errors:
        response = refused(provider, reason)
        for body in swapped(msgspec.json.decode(response.body)):
            with pytest.raises(Mismatch, match=f"^{provider.main} {response.status}: "):
                checker.check(provider.main, replace(response, body=msgspec.json.encode(body)))


def test_undeclared_status_is_a_mismatch(provider):
    response = answered(*good(provider, provider.main), status=299)
    with pytest.raises(Mismatch, match="status 299 is not declared"):
        documented(provider).check(provider.main, response)


@pytest.mark.parametrize("media_type", ["", "text/html", "application/json; charset=latin-1"])
def test_undeclared_media_type_is_a_mismatch(provider, media_type):
    _, example = good(provider, provider.main)
    with pytest.raises(Mismatch, match=r"media type .* is not declared"):
        documented(provider).check(provider.main, answered(media_type, example))


# The facts


def test_facts_are_named_once_and_after_the_provider(provider):
    ids = [fact.id for fact in facts(provider.name)]
    assert len(set(ids)) == len(ids) > 0
    assert [id for id in ids if not re.fullmatch(rf"{provider.name}(-[a-z0-9]+)+", id)] == []


def test_facts_are_sentences_with_a_source(provider):
    for fact in facts(provider.name):
        assert re.fullmatch(r"[^a-z].*\.", fact.fact), fact.id
        assert re.fullmatch(r"[A-Za-z0-9-]+", fact.source), fact.id


def test_facts_know_three_statuses(provider):
    statuses = {fact.status for fact in facts(provider.name)}
    assert "documented" in statuses <= {"documented", "observed", "assumed"}
    with pytest.raises(ValueError, match="documented, observed or assumed"):
        Fact("a-b", "A.", "S", "rumoured")


def test_decisions_of_ours_are_assumptions(provider):
    ours = [fact for fact in facts(provider.name) if fact.source == "decision"]
    assert {fact.status for fact in ours} <= {"assumed"}


def test_every_quirk_is_in_a_fact(provider):
    text = " ".join(fact.fact for fact in facts(provider.name))
    assert [q.name for q in provider.quirks if not re.search(rf"`{q.name}\b", text)] == []


# The running server; the witness in conftest.py holds each answer against the document


@pytest.fixture(scope="module")
def client():
    with httpx.Client(trust_env=False) as client:
        yield client


def test_every_route_answers_its_own_example(server, client, provider):
    handle = getattr(server, provider.name)
    answers = {
        route.id: send(client, handle, "main", route).status_code for route in provider.routes
    }
    assert answers == {route.id: 200 for route in provider.routes}


def test_every_refusing_key_is_refused_by_the_error_table(server, client, provider):
    handle = getattr(server, provider.name)
    for reason in provider.errors:
        for route in provider.routes:
            answer = send(client, handle, f"reject-{reason}", route)
            table = refused(provider, reason)
            media_type = dict(table.headers)[b"content-type"].decode()
            assert (answer.status_code, answer.headers["content-type"]) == (
                table.status,
                media_type,
            )
            assert list(answer.json()) == list(msgspec.json.decode(table.body))


def test_every_other_key_gets_a_declared_answer(server, client, provider):
    handle = getattr(server, provider.name)
    operations = documented(provider).operations()
    for label in handle.others:
        for route in provider.routes:
            answer = send(client, handle, label, route)
            assert str(answer.status_code) in operations[route.id][2]["responses"]


def test_a_wrong_signature_is_in_the_journal_under_its_keys_label(server, provider):
    if "bad_signature" not in provider.errors:
        pytest.skip("nothing is signed here")
    handle = getattr(server, provider.name)
    signed = handle.auth.example(handle.base_url)
    if signed.headers:  # the signature comes last, wherever it is
        *others, (name, value) = signed.headers
        spoilt = replace(signed, headers=(*others, (name, value[:-8] + b"A" * 8)))
    else:
        spoilt = replace(signed, query=signed.query[:-8] + b"A" * 8)
    exchange(handle.base_url, wire(spoilt))
    entry = server.journal[-1]
    assert (entry.reason, entry.credential) == ("bad_signature", "main")
