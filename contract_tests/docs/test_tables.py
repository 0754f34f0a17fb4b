"""The tables of the documentation are held against the code; examples run in docs/test_examples.py."""

import pytest
import requests

from contract_tests.support.pages import ROOT, rows
from mockserver import MockServer, create_app
from mockserver.cli import banner
from mockserver.cli.banner import base_url
from mockserver.control.api import ROUTES
from mockserver.files import documents, scenarios, worlds
from mockserver.model.provider import Provider
from mockserver.providers import discover

PROVIDERS = discover()
CONNECTION = {
    "connectionId": "binance",
    "connectionFields": {
        "apiKey": "your_binance_api_key_here",
        "apiSecret": "your_binance_api_secret_here",
    },
}
READS = {
    "cdp": ("GET", "/v2/accounts", None),
    "coinstats": ("POST", "/v1/exchange/balance", CONNECTION),
    "coinw": ("POST", "/api/v1/private?command=returnBalances", None),
}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def test_every_call_of_the_control_api_is_in_its_tables() -> None:
    text = page("reference/control-api.md")
    for route in ROUTES:
        tail = route.path.removeprefix("/sandboxes/{id}") or route.path
        assert tail in text, route.path


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))
def test_a_provider_has_a_worked_example_in_two_languages(provider: Provider) -> None:
    text = page(f"providers/{provider.name}.md")
    for language in ("sh", "python"):
        example = text.partition(f"```{language}\n")[2].partition("```")[0]
        assert base_url(provider) in example
    for route in provider.routes:
        assert f"`{route.id}`" in text


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_refuses_as_its_page_shows(name: str, server: MockServer) -> None:
    table = rows(f"docs/providers/{name}.md", "reason")
    assert set(table) == set(PROVIDERS[name].errors)
    server.set_limits(dict.fromkeys(server.limits, "off"))
    handle = getattr(server, name)
    server.set_quirks({"cpg.replay": "off"})
    method, target, body = READS.get(name, ("GET", "/v1/balances", None))
    for reason, (status, message, _) in table.items():
        server.clear_faults()
        handle.fail(reject=reason)
        answer = requests.request(
            method, handle.base_url + target, json=body, auth=handle.auth, timeout=30
        )
        assert answer.status_code == int(status), reason
        code, _, text = message.partition(" ") if name == "coinw" else ("", "", message)
        assert text in answer.text
        assert code in answer.text


def test_every_reason_is_explained_and_led_to_its_providers() -> None:
    table = rows("docs/reference/reasons.md", r"reason \| when")
    assert set(table) == {reason for p in PROVIDERS.values() for reason in p.errors}
    for name, provider in PROVIDERS.items():
        for reason, (_, providers) in table.items():
            assert (f"[{name}]" in providers) is (reason in provider.errors)


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_table_of_reasons_has_the_status_that_a_provider_responds_with(name: str) -> None:
    column = list(PROVIDERS).index(name)
    table = rows("docs/reference/reasons.md", r"reason \| cdp")
    statuses = {reason: row[column] for reason, row in table.items() if row[column]}
    rejects = rows(f"docs/providers/{name}.md", "reason")
    assert statuses == {reason: row[0] for reason, row in rejects.items()}


def test_the_printed_table_is_the_one_shown() -> None:
    app = create_app().state.exchange
    app.origins = {name: f"http://127.0.0.1:{8490 + p.port}" for name, p in PROVIDERS.items()}
    summary = banner.summary(app, "http://127.0.0.1:8490", "default")
    text = page("quick-start/server.md")
    for line in banner.table(summary).split("Paste")[0].splitlines():
        assert f"\n{line.rstrip()}\n" in text, line


def test_every_limit_is_in_the_tables_with_its_default() -> None:
    for name, provider in PROVIDERS.items():
        limits = {f"{name}.{limit.name}": limit.text for limit in provider.limits}
        table = {k: row[0] for k, row in rows(f"docs/providers/{name}.md", "limit").items()}
        assert table == limits


def test_every_credential_of_the_default_world_is_in_the_tables() -> None:
    for name, part in worlds.load("default").parts.items():
        for key in part.section.keys.values():
            for text in (page("reference/credentials.md"), page(f"providers/{name}.md")):
                assert f"| `{getattr(key, part.provider.key)}` |" in text


def test_the_facts_are_counted_right() -> None:
    for name in PROVIDERS:
        counts = [
            sum(f.status == s for f in documents.facts(name))
            for s in ("documented", "observed", "assumed")
        ]
        table = rows("docs/explanation/fidelity.md", "facts of")
        assert table[name] == [str(c) for c in counts]


def test_every_shipped_scenario_is_in_the_table() -> None:
    about = {name: scenarios.load(name).about for name in scenarios.shipped()}
    table = rows("docs/reference/scenarios.md", "scenario")
    assert {name: [" ".join(text.split())] for name, text in about.items()} == table
