"""The page on faults: its tables are those of the code and of real clients, its examples work."""

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from contract_tests.clients.senders import PROGRAMS, tool
from contract_tests.support import delivery_table as tables
from mockserver import MockServer
from mockserver.client.sandbox import Sandbox as Handle
from mockserver.engine.sandbox import Sandbox
from mockserver.faults import kinds
from mockserver.faults.parsing import AnswerSpec, FiringSpec
from mockserver.faults.rules import Rule, RuleMatch
from mockserver.files import scenarios, strict_yaml

PAGE = tables.PAGE.read_text("utf-8")
LOCK = Path(__file__).parents[1].joinpath("requirements.lock").read_text("utf-8")
WRITE_ANEW = "run python -m contract_tests.support.delivery_table to write the page anew"


# The tables


def test_the_table_of_faults_is_that_of_the_code() -> None:
    assert tables.section(PAGE, "faults") == tables.faults(), WRITE_ANEW


EXAMPLES = [
    (kind, line)
    for kind, lines in ((kinds.MUTATIONS, tables.MUTATED), (kinds.DELIVERIES, tables.DELIVERED))
    for line in lines
]


@pytest.mark.parametrize(("kind", "line"), EXAMPLES)
def test_the_example_of_a_fault_is_taken(kind: str, line: str) -> None:
    name, value = tables.said(line)
    kinds.find(kind, name).parse(value)


@pytest.mark.parametrize("kind", [kinds.MUTATIONS, kinds.DELIVERIES])
def test_every_fault_has_an_example(kind: str) -> None:
    assert {tables.said(line)[0] for of, line in EXAMPLES if of == kind} == set(kinds.kinds(kind))


def shown() -> tables.Cells:
    """Returns the table of clients that the page shows, by client."""
    lines = tables.section(PAGE, "clients").splitlines()
    head, _, *rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    assert [row[0] for row in rows] == [f"`{line}`" for line in tables.DELIVERED], WRITE_ANEW
    return {client: [row[n] for row in rows] for n, client in enumerate(head) if n}


def initial_scenario() -> dict[str, str]:
    """Returns the versions that the page names."""
    return dict(re.findall(r"(\w+) ([0-9.]+[0-9])[,:]", tables.section(PAGE, "clients")))


@pytest.fixture(scope="module")
def here() -> tuple[tables.Cells, dict[str, str]]:
    """What the clients that are here make of every delivery, and their versions."""
    versions = tables.versions()
    return tables.probed(client for client in tables.CLIENTS if client in versions), versions


@pytest.mark.parametrize("client", tables.CLIENTS)
def test_clients_make_of_deliveries_what_the_page_says(
    here: tuple[tables.Cells, dict[str, str]], client: str
) -> None:
    if client in PROGRAMS:
        tool(client)
    cells, versions = here
    if versions[client] == initial_scenario()[client]:
        assert settled(cells[client]) == settled(shown()[client]), WRITE_ANEW
    else:  # another version may name its errors otherwise, but errors they are
        assert plainly(cells[client]) == plainly(shown()[client]), WRITE_ANEW


def settled(cells: list[str]) -> list[str]:
    """Takes Node's two names for a reset as one: which it gives depends on who is faster."""
    return [cell.replace("ECONNRESET", "UND_ERR_SOCKET") for cell in cells]


def plainly(cells: list[str]) -> list[str]:
    return ["an error" if cell.startswith("`") else cell for cell in cells]


def test_the_page_was_written_with_the_pinned_versions() -> None:
    pinned = dict(re.findall(r"^([a-z0-9]+)==(\S+)", LOCK, re.MULTILINE))
    named = initial_scenario()
    assert list(named) == list(tables.CLIENTS)
    for client in set(tables.CLIENTS) - set(PROGRAMS):
        assert named[client] == pinned[client], WRITE_ANEW


# The examples


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def headings() -> list[str]:
    """Returns the headings under which the examples stand."""
    parts = re.split(r"^#+ (.*)$", PAGE, flags=re.MULTILINE)
    return [title for title, text in zip(parts[1::2], parts[2::2], strict=True) if "```" in text]


PAIRS = list(zip(blocks("yaml"), blocks("python"), strict=True))


def unsaid(rules: Any) -> list[Rule]:
    """Returns rules without how they were written, which Python and YAML do in two ways."""
    return [replace(rule, source={}) for rule in rules]


@pytest.mark.parametrize(("text", "code"), PAIRS, ids=headings())
def test_an_example_says_the_same_in_yaml_and_in_python(
    server: MockServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    code: str,
) -> None:
    (tmp_path / "slow-day.yaml").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"server": server, "sandbox": server.sandbox()}
    exec(code, names)
    created = engine(server, names["sandbox"])
    scenario = scenarios.load("slow-day.yaml")
    assert unsaid(scenario.rules) == unsaid(
        active.rule for active in created.rulebook.rules.values()
    )
    assert (created.scenario is not None) is bool(scenario.about)
    assert created.settings.quirks.items() >= scenario.quirks.items()
    assert created.settings.limits.items() >= scenario.limits.items()
    assert created.clock.skew == (scenario.skew or 0)


def engine(server: MockServer, sandbox: Handle) -> Sandbox:
    return server.app.sandboxes.get(sandbox.id)


def test_every_word_of_a_rule_is_on_the_page() -> None:
    words = {
        *RuleMatch.__struct_fields__,
        *AnswerSpec.__struct_fields__,
        *FiringSpec.__struct_encode_fields__,
    }
    assert {word for word in words if not re.search(rf"[`{{ ]{word}[`:]", PAGE)} == set()


def test_every_member_of_a_scenario_is_on_the_page() -> None:
    (text,) = [text for text in blocks("yaml") if "about:" in text]
    assert set(strict_yaml.load(text)) == (scenarios.MEMBERS | {"name"}) - {"tls_fault"}
    assert "`tls_fault: " in PAGE  # of the sandbox `default` alone, so not in the example
