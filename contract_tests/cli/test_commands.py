"""The commands for a running server, for files, and for shells; lines of the log."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from contract_tests.cli.conftest import Command
from contract_tests.support.processes import CLEAN, COMMAND, SOON, serving
from mockserver import MockServer
from mockserver.cli import main as cli
from mockserver.cli.banner import shorten, table
from mockserver.cli.init import FILES
from mockserver.providers import discover
from mockserver.tools.request_line import RequestLine

PLUGINS = ("-p", "no:cacheprovider", "-p", "mockserver.client.pytest_plugin")


@pytest.fixture
def client(server: MockServer, command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command against the module's server."""
    monkeypatch.setenv("MOCKSERVER_URL", server.url)
    return command


def read(server: MockServer, key: str = "73034021-THIS-IS-SAMPLE-KEY") -> int:
    url, headers = server.coinapi.base_url + "/v1/balances", {"X-CoinAPI-Key": key}
    return requests.get(url, headers=headers, timeout=SOON).status_code


def test_the_status_has_what_a_client_needs(server: MockServer, client: Command) -> None:
    server.clock.freeze()
    _, text, _ = client("status")
    assert all(f"{name:9} {getattr(server, name).base_url}" in text for name in discover())
    assert "world default, seed 490" in text
    assert ", frozen" in text
    status = json.loads(client("status", "--json")[1])
    assert (status["gateway"], status["clock"]["frozen"]) == (server.url, True)
    assert "  secret            test_secret_do_not_use" in client("status", "cpg")[1]
    status = json.loads(client("status", "cpg", "--json")[1])
    assert status["credentials"] == server.cpg.credentials


def test_the_last_requests_are_lines(server: MockServer, client: Command) -> None:
    read(server)
    read(server, "nope")
    lines = client("requests")[1].splitlines()
    assert [line.split(" ", 1)[1].strip().split(" ", 1)[1] for line in lines] == [
        "coinapi GET /v1/balances -> 200 (key main)",
        "coinapi GET /v1/balances -> 401 unknown_credential: unknown_credential. Use a key of this sandbox's world.",
    ]
    for args, expected in (
        (("--last", "1"), [2]),
        (("--status", "200"), [1]),
        (("--reason", "unknown_credential"), [2]),
        (("--provider", "cpg"), []),
    ):
        lines = client("requests", "--json", *args)[1].splitlines()
        assert [json.loads(line)["n"] for line in lines] == expected


def test_new_requests_are_followed(server: MockServer, tmp_path: Path) -> None:
    read(server)
    process = subprocess.Popen(
        [*COMMAND, "requests", "--follow", "--json", "--operation", "balances"],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=CLEAN | {"MOCKSERVER_URL": server.url},
        text=True,
    )
    try:
        assert json.loads(process.stdout.readline())["n"] == 1
        requests.get(server.coinapi.base_url + "/nope", timeout=SOON)
        read(server)
        assert json.loads(process.stdout.readline())["n"] == 3
    finally:
        process.kill()
        process.communicate()


def test_the_clocks_are_moved(server: MockServer, client: Command) -> None:
    before = server.clock.now
    client("clock", "freeze")
    client("clock", "advance", "1m1s")
    assert 61 <= (server.clock.now - before).total_seconds() < 61 + SOON
    skewed = json.loads(client("clock", "skew", "-400s", "--json")[1])
    assert (skewed["skew"], skewed["frozen"]) == ("-400s", True)
    assert "frozen    false" in client("clock", "unfreeze")[1]
    assert json.loads(client("clock", "rate", "60", "--json")[1])["rate"] == 60
    assert "2099-01-01T00:00" in client("clock", "set", "2099-01-01T00:00:00Z")[1]
    assert client("clock")[0] == 0


def test_rules_are_set_listed_and_deleted(server: MockServer, client: Command) -> None:
    client("fail", "coinapi", "--reject", "rate_limited", "--requests", "1-2", "--name", "storm")
    client("fail", "--deliver", "delay=1ms", "--header", "X-Test=1", "--mutate", "bom")
    rules = json.loads(client("fail", "--list", "--json")[1])["rules"]
    assert [row["rule"] for row in rules] == [
        {
            "name": "storm",
            "match": {"provider": "coinapi"},
            "when": {"requests": "1-2"},
            "answer": {"reject": "rate_limited"},
        },
        {
            "name": "rule-1",
            "match": {"header": {"X-Test": "1"}},
            "deliver": {"delay": "1ms"},
            "mutate": {"bom": True},
        },
    ]
    assert [read(server) for _ in range(3)] == [429, 429, 200]
    assert "storm  [over, matched 2, fired 2]" in client("fail", "--list")[1]
    assert "storm" not in client("fail", "--delete", "storm")[1]
    assert client("fail", "--clear")[1] == "no rules\n"


def test_a_scenario_is_played_and_stopped(
    server: MockServer, client: Command, tmp_path: Path
) -> None:
    assert "storm" in client("play", "rate-limit-storm")[1]
    assert client("stop")[1] == "rate-limit-storm is stopped\n"
    assert client("stop")[1] == "no scenario plays\n"
    file = tmp_path / "mine.yaml"
    file.write_text("rules: [{name: down, answer: {reject: service_unavailable}}]")
    assert "down" in client("play", str(file))[1]
    assert read(server) == 503
    client("reset")
    assert server.faults == []


def test_requests_are_counted(server: MockServer, client: Command) -> None:
    read(server)
    read(server, "nope")
    match = ("verify", "--provider", "coinapi")
    assert client(*match)[:2] == (0, "2 requests match\n")
    assert client(*match, "--status", "200", "--exactly", "1")[0] == 0
    status, out, _ = client(*match, "--status", "200", "--at-least", "2", "--at-most", "3")
    assert status == 1
    assert out.splitlines() == [
        "1 request matches, expected at least 2, at most 3",
        "  coinapi GET /v1/balances: status is 401, not 200",
    ]
    status, out, _ = client(*match, "--exactly", "5", "--json")
    assert (status, json.loads(out)["count"]) == (1, 2)


def test_the_providers_are_listed_with_whole_paths(command: Command) -> None:
    assert "  GET    /platform/v2/accounts  (listAccounts)\n" in command("providers")[1]


MISSPELT = [
    ("fail cpg --reject forbiden", "forbidden"),
    ("clock advanc 1s", "advance"),
    ("requests --operation returnBalance", "returnBalances"),
]


def test_a_misspelt_name_is_answered_with_the_nearest(client: Command) -> None:
    for line, nearest in MISSPELT:
        status, out, err = client(*line.split())
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert f"id you mean {nearest}" in err or f"id you mean '{nearest}'" in err, err


def test_every_command_that_prints_a_list_or_a_verdict_prints_json_too(
    command: Command, tmp_path: Path
) -> None:
    for name in ("worlds", "scenarios", "providers", "facts"):
        assert len(json.loads(command(name, "--json")[1])) > 2
    verdict = json.loads(command("check", "default", "--json")[1])
    assert (verdict["good"], verdict["kind"]) == (True, "world")
    assert not json.loads(command("healthcheck", "http://127.0.0.1:1", "--json")[1])["healthy"]
    (tmp_path / "world.yaml").write_text("name: x\ncpx: {}\n")
    status, out, _ = command("check", "world.yaml", "--json")
    wrong = json.loads(out)
    assert (status, wrong["good"], wrong["line"], wrong["at"]) == (2, False, 2, "$.cpx")


def test_facts_are_filtered_by_status_and_text(command: Command) -> None:
    assumed = json.loads(command("facts", "cpg", "--status", "assumed", "--json")[1])
    assert {fact["status"] for fact in assumed} == {"assumed"}
    facts = json.loads(command("facts", "--search", "RETRY-AFTER", "--json")[1])
    assert 0 < len(facts) < 60
    assert all("retry-after" in json.dumps(fact).lower() for fact in facts)


def test_the_files_that_init_writes_can_be_served_and_tested(
    command: Command, tmp_path: Path
) -> None:
    assert command("init", "mine")[0] == 0
    mine = tmp_path / "mine"
    assert sorted(path.name for path in mine.iterdir()) == sorted(FILES)
    with serving(cwd=mine) as (_, summary):
        key = {"key_id": "my_key", "secret": "my_secret"}
        assert summary["providers"]["cpg"]["credentials"] == key
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGINS, "test_mockserver.py"],
        cwd=mine,
        env=CLEAN | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=SOON * 2,
        check=False,
    )
    assert "2 passed" in tests.stdout, tests.stdout
    error = "mockserver: mine/mockserver.toml is there already: --force replaces it\n"
    assert command("init", "mine") == (2, "", error)
    assert command("init", "mine", "--force")[0] == 0


COMPLETED = [
    ("mockserver ser", ["serve"]),
    ("mockserver curl c", ["cdp", "coinapi", "coinstats", "coinw", "cpg"]),
    ("mockserver curl cpg --credential ip", ["ip_locked"]),
    ("mockserver serve --world w", ["whale"]),
    ("mockserver serve --quirk cpg.replay=", ["cpg.replay=off", "cpg.replay=on"]),
    ("mockserver serve --limit cpg.", ["cpg.ip=", "cpg.key="]),
    ("mockserver play rate", ["rate-limit-storm"]),
    ("mockserver clock fr", ["freeze"]),
    ("mockserver fail cpg --reject rate", ["rate_limited"]),
    ("mockserver verify --operation returnB", ["returnBalances"]),
]


@pytest.mark.parametrize(("line", "expected"), COMPLETED)
def test_a_shell_completes_names(command: Command, line: str, expected: list[str]) -> None:
    shell = {"_MOCKSERVER_COMPLETE": "bash_complete", "COMP_WORDS": line}
    _, out, _ = command(**shell, COMP_CWORD=str(line.count(" ")))
    assert sorted(row.partition(",")[2] for row in out.split()) == expected


def test_every_shell_gets_its_completion_script(command: Command) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_MOCKSERVER_COMPLETE" in command("completion", shell)[1]


WITH_EXAMPLE = {
    *cli.RUNNING,
    *["serve", "curl", "explain", "facts", "generate", "check", "init", "completion"],
}


def test_the_help_of_every_command_has_its_sentence_and_an_example(command: Command) -> None:
    for name, sentence in {**cli.COMMANDS, **cli.RUNNING}.items():
        help = " ".join(command(name, "--help")[1].split())
        assert sentence in help
        if name in WITH_EXAMPLE:
            assert f"Example: mockserver {name}" in help or "Examples: " in help
        assert "MOCKSERVER_URL" in help or name not in cli.RUNNING


# A line of the log


LONG = RequestLine(
    "10:59:35.123",
    "coinstats",
    "GET",
    "/public/v1/portfolio/coins?shareToken=0123456789abcdef0123456789abcdef&page=1&limit=1000",
    401,
    "missing_credential",
    "main",
    "",
    "",
    1234,
    "missing_credential. Send the header X-API-KEY with a key of the sandbox's world",
)


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_a_request_fits_the_terminal_without_a_broken_word(width: int) -> None:
    lines = LONG.on_terminal(width, colour=False).split("\n")
    assert max(map(len, lines)) <= width
    assert "\n  " not in LONG.plain()
    words = " ".join(line.strip() for line in lines).split()
    assert words[-5:] == LONG.plain().split()[-5:]
    assert len(words) == len(LONG.plain().split())


def test_colours_change_nothing_but_colours() -> None:
    for line in (LONG, RequestLine("t", "cpg", "GET", "/", 200, "", "main", "", "", 1, "")):
        coloured = line.on_terminal(80, colour=True)
        for code in ("0", "2", "31", "32"):
            coloured = coloured.replace(f"\x1b[{code}m", "")
        assert coloured == line.on_terminal(80, colour=False)


def test_a_control_character_never_reaches_a_terminal() -> None:
    line = RequestLine("t", "cpg", "GET", "/\x1b[2J", 200, "", "\x1b]0;x\x07", "", "", 1, "a\x1bb")
    assert "\x1b" not in line.on_terminal(80, colour=False) + line.plain()


@pytest.mark.parametrize(
    ("args", "variables", "accepted", "refused", "coloured"),
    [
        ([], {}, True, True, True),
        (["--log-level", "refused"], {"NO_COLOR": "1"}, False, True, False),
        ([], {"MOCKSERVER_LOG_LEVEL": "quiet"}, False, False, False),
    ],
)
def test_a_terminal_shows_requests_by_level_and_in_colour(
    args: list[str],
    variables: dict[str, str],
    accepted: bool,
    refused: bool,
    coloured: bool,
    tmp_path: Path,
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", "--json", *args],
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=tmp_path,
        env={k: v for k, v in CLEAN.items() if k != "NO_COLOR"} | {"TERM": "xterm"} | variables,
        text=True,
    )
    os.close(theirs)
    try:
        url = json.loads(process.stdout.readline())["providers"]["coinapi"]["base_url"]
        key = {"X-CoinAPI-Key": "73034021-THIS-IS-SAMPLE-KEY"}
        requests.get(url + "/v1/balances", headers=key, timeout=SOON)
        requests.get(url + "/nope", timeout=SOON)
        process.terminate()
        process.wait(SOON)
        text = _all_of(ours)
    finally:
        process.kill()
        process.communicate()
        os.close(ours)
    seen = ("/v1/balances" in text, "/nope" in text, "\x1b[" in text)
    assert seen == (accepted, refused, coloured)


def _all_of(fd: int) -> str:
    """Returns what was written to a terminal that is closed by now."""
    data = b""
    try:
        while part := os.read(fd, 1 << 16):
            data += part
    except OSError:
        pass
    return data.decode()


def test_the_table_fits_80_columns(server: MockServer) -> None:
    providers = {
        name: {
            "base_url": getattr(server, name).base_url,
            "credentials": getattr(server, name).credentials,
            "example": f"mockserver curl {name} | sh",
        }
        for name in discover()
    }
    summary = {"gateway": server.url, "providers": providers}
    lines = table(summary, 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert "In full: mockserver status PROVIDER" in lines
    assert any(server.cdp.credentials["key_id"] in line for line in table(summary).splitlines())
    assert shorten("x" * 80, 80) == "x" * 80
