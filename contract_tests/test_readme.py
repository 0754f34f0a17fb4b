"""The README is tested: each example runs as it stands, each table is held against the code."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from clients.senders import tool

from mockserver import MockServer, create_app
from mockserver.cli import banner
from mockserver.cli.banner import base_url
from mockserver.cli.serve import serve
from mockserver.control.api import ROUTES
from mockserver.faults import kinds
from mockserver.faults.parsing import RuleParser
from mockserver.files import documents, scenarios, strict_yaml, worlds
from mockserver.providers import discover

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def placed(code: str, server: MockServer) -> str:
    """Puts the running server's addresses in the place of the default ones."""
    for name, provider in discover().items():
        code = code.replace(base_url(provider), getattr(server, name).base_url)
    return code.replace("http://127.0.0.1:8490", server.url)


@pytest.mark.parametrize("code", blocks("python"), ids=lambda c: c.splitlines()[0])
def test_a_python_example_runs(server: MockServer, code: str) -> None:
    subprocess.run(
        [sys.executable, "-W", "error", "-c", placed(code, server)], check=True, timeout=30
    )


def test_the_pytest_example_passes(tmp_path: Path) -> None:
    (code,) = blocks("py")
    (tmp_path / "test_portfolio.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert "4 passed" in done.stdout, done.stdout


def test_the_shell_example_of_a_sandbox_says_what_its_comments_say(server: MockServer) -> None:
    tool("curl")
    (code,) = blocks("bash")
    done = subprocess.run(
        ["bash", "-c", placed(code, server)], check=True, capture_output=True, text=True, timeout=30
    )
    assert done.stdout.split() == re.findall("# ([0-9]{3})$", code, re.MULTILINE)


def test_the_node_example_of_a_sandbox_runs(server: MockServer, tmp_path: Path) -> None:
    (code,) = blocks("js")
    file = tmp_path / "example.mjs"
    file.write_text(placed(code, server))
    subprocess.run([tool("node"), file], check=True, timeout=30)


def test_every_call_of_the_control_api_is_in_its_table() -> None:
    table = " ".join(rows("call, below `/__admin`"))
    for route in ROUTES:
        tail = route.path.removeprefix("/sandboxes/{id}") or route.path
        assert tail in table, route.path


SHELL = list(zip(blocks("sh"), blocks("json"), strict=True))


@pytest.mark.parametrize(("code", "answer"), SHELL, ids=[p.name for p in discover().values()])
def test_a_shell_example_gives_the_answer_shown(server: MockServer, code: str, answer: str) -> None:
    tool("curl")
    tool("openssl")
    done = subprocess.run(
        ["sh", "-c", placed(code, server)], check=True, capture_output=True, text=True, timeout=30
    )
    assert done.stdout == answer.rstrip("\n")
    json.loads(done.stdout)


def test_there_is_a_worked_example_in_both_languages_for_every_provider() -> None:
    for provider in discover().values():
        for language in ("sh", "python"):
            assert any(base_url(provider) in code for code in blocks(language)), provider.name


def test_the_world_shown_is_good() -> None:
    (text,) = (code for code in blocks("yaml") if "rules:" not in code)
    world = worlds.read(text, "shown")
    assert all(part.accounts for part in world.parts.values())


def test_the_printed_table_is_the_one_shown() -> None:
    app = create_app().state.exchange
    app.origins = {name: f"http://127.0.0.1:{8490 + p.port}" for name, p in discover().items()}
    summary = banner.summary(app, "http://127.0.0.1:8490", "default")
    listed = banner.table(summary).split("Paste")[0]
    for line in listed.splitlines():
        assert f"\n{line.rstrip()}\n" in README, line


def rows(first: str) -> dict[str, list[str]]:
    """Returns the rows of the table whose head begins with ``first``, by their first cell."""
    table = re.search(rf"^\| {first} \|.*\n\| ---.*\n((?:\|.*\n)+)", README, re.MULTILINE)
    cells = [
        [c.strip().strip("`") for c in line.strip("|\n").split("|")]
        for line in table[1].splitlines()
    ]
    return {row[0]: row[1:] for row in cells}


def test_every_quirk_is_in_the_table_with_its_default_and_its_values() -> None:
    table = rows("quirk")
    quirks = {f"{p.name}.{q.name}": q for p in discover().values() for q in p.quirks}
    assert set(table) == set(quirks)
    for name, quirk in quirks.items():
        assert table[name][0] == quirk.default
        for choice in set(quirk.choices) - {quirk.default}:
            assert choice in table[name][1]
        assert ("a duration" in table[name][1]) is quirk.duration
        assert ("a number" in table[name][1]) is quirk.number


def test_every_limit_is_in_the_table_with_its_default() -> None:
    limits = {f"{p.name}.{li.name}": li for p in discover().values() for li in p.limits}
    table = {name: row[0] for name, row in rows("limit").items()}
    assert table == {name: limit.text for name, limit in limits.items()}


def test_every_option_of_serve_is_in_the_table_with_its_variable() -> None:
    table = {option.split()[0].strip("`"): row for option, row in rows("option").items()}
    for option in serve.params:
        assert option.opts[0] in table
        assert table[option.opts[0]][0] == (option.envvar or "")
    assert len(table) == len(serve.params)


def test_every_credential_of_the_default_world_is_in_the_table() -> None:
    for part in worlds.load("default").parts.values():
        for key in part.section.keys.values():
            assert f"| `{getattr(key, part.provider.key)}` |" in README


def test_the_facts_are_counted_right() -> None:
    for name in discover():
        counts = [
            sum(f.status == s for f in documents.facts(name))
            for s in ("documented", "observed", "assumed")
        ]
        assert rows("facts of")[name] == [str(c) for c in counts]


@pytest.mark.parametrize("kind", ["mutate", "deliver"])
def test_every_fault_is_in_its_table_with_an_example_that_can_be_read(kind: str) -> None:
    folder = {"mutate": kinds.MUTATIONS, "deliver": kinds.DELIVERIES}[kind]
    table = rows(f"`{kind}`")
    assert list(table) == [*kinds.kinds(folder)]
    reader = RuleParser(discover())
    for name, (about, *seen, example) in table.items():
        assert about == kinds.find(folder, name).about
        assert len(seen) == (kind == "deliver")
        parameters = strict_yaml.load(example.strip("`"))
        assert list(parameters) == [name]
        assert reader.parse({"name": "x", kind: parameters}).name == "x"


def test_the_scenario_example_is_one() -> None:
    (text,) = (code for code in blocks("yaml") if "rules:" in code)
    assert [rule.name for rule in scenarios.from_data(strict_yaml.load(text)).rules] == [
        "storm",
        "short",
    ]


@pytest.mark.parametrize("transcript", blocks("transcript"), ids=range(5))
def test_a_refusal_is_explained_as_shown(transcript: str) -> None:
    head, pasted, answer = re.fullmatch(
        r"\$ (.*) <<'END'\n(.*)\nEND\n(.*)", transcript, re.DOTALL
    ).groups()
    command = [sys.executable, "-m", *head.split()]
    done = subprocess.run(
        command, input=pasted, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (1, answer)
