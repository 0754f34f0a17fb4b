"""The control API's OpenAPI document, and the calls that describe the server."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import requests
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from contract_tests.support.control_calls import DOCUMENT, WAIT, ControlClient
from mockserver import MockServer
from mockserver.control import api
from mockserver.control.endpoint import document
from mockserver.files import scenarios
from mockserver.providers import discover

D = "/sandboxes/default"


def test_the_document_is_valid_and_served(control: ControlClient) -> None:
    served = control.good("GET", "/openapi.json")
    validate(served, cls=OpenAPIV31SpecValidator)
    assert served == document()


def test_the_document_equals_the_routes() -> None:
    routes = {(route.method, route.path): route for route in api.ROUTES}
    documented = {(m, p): op for m, p, op in DOCUMENT.operations().values()}
    assert documented.keys() - routes.keys() == {
        ("GET", "/live"),
        ("GET", "/openapi.json"),
        ("GET", "/sandboxes/{id}/requests/stream"),
    }
    tags = {tag["name"] for tag in document()["tags"]}
    for call, route in routes.items():
        operation, item = documented[call], document()["paths"][route.path]
        good = {int(status) for status in operation["responses"] if status < "400"}
        assert good == {route.status}, call
        assert ("requestBody" in operation) == (route.body is not None), call
        names_something = "{" in route.path and call != ("PUT", "/sandboxes/{id}")
        assert ("404" in operation["responses"]) == (names_something or call == ("GET", "/trust"))
        parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
        names = [p.get("$ref", "/" + p.get("name", "")).rpartition("/")[2] for p in parameters]
        assert sorted(names) == sorted([*re.findall(r"\{(\w+)\}", route.path), *route.query]), call
        assert {*operation["tags"]} <= tags
        assert operation["summary"].endswith(".")


def test_the_documented_events_are_the_providers_events() -> None:
    schemas = document()["components"]["schemas"]
    documented = [schemas[one["$ref"].rpartition("/")[2]] for one in schemas["Event"]["oneOf"]]
    events = {e.named(): e for p in discover().values() for e in p.all_events}
    assert sorted(one["properties"]["event"]["const"] for one in documented) == sorted(events)
    for one in documented:
        fields = msgspec.structs.fields(events[one["properties"]["event"]["const"]])
        assert one["properties"].keys() == {"event", *(field.name for field in fields)}
        assert {*one["required"]} == {"event", *(f.name for f in fields if f.required)}


def test_the_document_s_examples_fit_their_schemas() -> None:
    checked = 0
    for content in contents(document()):
        schema = {"allOf": [content["schema"]], "components": document()["components"]}
        checker = jsonschema_rs.Draft202012Validator(schema)
        examples = [example["value"] for example in content.get("examples", {}).values()]
        for example in [content["example"], *examples] if "example" in content else examples:
            checker.validate(example)
            checked += 1
    assert checked > 40


def contents(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "schema" in node:
            yield node
        node = [*node.values()]
    if isinstance(node, list):
        for value in node:
            yield from contents(value)


def test_health_shows_memory_and_sandboxes(control: ControlClient) -> None:
    health = control.good("GET", "/health")
    assert health["status"] == "ok"
    assert health["memory"]["budget"] == 256 * 1024 * 1024
    assert health["sandboxes"] == {"count": 1, "max": 2_000}


def test_every_provider_is_described(control: ControlClient) -> None:
    providers = control.good("GET", "/providers")
    assert list(providers) == ["cdp", "coinapi", "coinstats", "coinw", "cpg"]
    operation = {"id": "getBalances", "method": "GET", "path": "/v1/balances"}
    assert providers["coinapi"]["operations"] == [operation]
    assert providers["coinapi"]["limits"] == {"reads": "off"}
    assert providers["coinw"]["quirks"]["empty"]["default"] == "object"
    assert providers["coinw"]["quirks"]["empty"]["choices"] == ["object", "null", "zero-bytes"]
    for name, provider in discover().items():
        assert providers[name]["reasons"] == sorted(provider.errors)
    assert {name: described["events"] for name, described in providers.items()} == {
        "cdp": ["key_revoked"],
        "coinapi": ["exchange_unreachable", "exchange_reachable", "balance_update", "key_revoked"],
        "coinstats": ["portfolio_synced", "key_revoked"],
        "coinw": ["key_revoked"],
        "cpg": ["withdrawal_confirmed", "withdrawal_failed", "permission_changed", "key_revoked"],
    }


def test_the_shipped_files_are_listed(control: ControlClient) -> None:
    worlds = control.good("GET", "/worlds")["worlds"]
    assert [world["name"] for world in worlds] == ["default", "empty", "whale"]
    assert all(world["about"].endswith(".") for world in worlds)
    listed = control.good("GET", "/scenarios")["scenarios"]
    assert [scenario["name"] for scenario in listed] == scenarios.shipped()
    assert all(scenario["about"] and scenario["client"] for scenario in listed)


def test_rejecting_credentials_are_shown_as_one_pattern(control: ControlClient) -> None:
    for short in (control.good("POST", "/sandboxes", {}, 201), control.good("GET", D)):
        full = control.good("GET", f"/sandboxes/{short['id']}?full=true")
        for name, provider in discover().items():
            pattern = short["providers"][name]["others"].pop("reject-REASON")
            others = full["providers"][name]["others"]
            for label in (f"reject-{reason}" for reason in provider.errors):
                rejecting = {k: label if v == "reject-REASON" else v for k, v in pattern.items()}
                assert others.pop(label) == rejecting
            assert others == short["providers"][name]["others"]


def test_the_gateway_links_to_its_pages(server: MockServer) -> None:
    index = requests.get(server.url, timeout=WAIT).json()
    assert index["base_urls"]["cdp"] == server.cdp.base_url
    assert all(requests.get(url, timeout=WAIT).ok for url in index["links"].values())
