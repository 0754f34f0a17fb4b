"""The commands that speak to a running server, and what the command line completes and refuses."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from contract_tests.support.processes import CLEAN, COMMAND, SOON, run, serving
from mockserver import MockServer
from mockserver.cli import main as cli
from mockserver.cli.banner import shorten, table
from mockserver.cli.init import FILES
from mockserver.providers import discover
from mockserver.tools.request_line import RequestLine

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    server: MockServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command against the module's server; returns exit status, stdout and stderr."""
    monkeypatch.setenv("MOCKSERVER_URL", server.url)

    def run_command(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(args)
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run_command


def read(server: MockServer, key: str = "73034021-THIS-IS-SAMPLE-KEY") -> int:
    url, headers = server.coinapi.base_url + "/v1/balances", {"X-CoinAPI-Key": key}
    return requests.get(url, headers=headers, timeout=SOON).status_code


def test_the_status_has_what_a_client_needs(server: MockServer, command: Command) -> None:
    server.clock.freeze()
    _, text, _ = command("status")
    assert all(f"{name:9} {getattr(server, name).base_url}" in text for name in discover())
    assert "world default, seed 490" in text
    assert ", frozen" in text
    shown = json.loads(command("status", "--json")[1])
    assert (shown["gateway"], shown["clock"]["frozen"]) == (server.url, True)
    assert "  secret            test_secret_do_not_use" in command("status", "cpg")[1]
    shown = json.loads(command("status", "cpg", "--json")[1])
    assert shown["credentials"] == server.cpg.credentials


def test_the_last_requests_are_lines(server: MockServer, command: Command) -> None:
    read(server)
    read(server, "nope")
    lines = command("requests")[1].splitlines()
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
        shown = command("requests", "--json", *args)[1].splitlines()
        assert [json.loads(line)["n"] for line in shown] == expected


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


def test_the_clocks_are_moved(server: MockServer, command: Command) -> None:
    before = server.clock.now
    command("clock", "freeze")
    command("clock", "advance", "1m1s")
    assert 61 <= (server.clock.now - before).total_seconds() < 61 + SOON
    skewed = json.loads(command("clock", "skew", "-400s", "--json")[1])
    assert (skewed["skew"], skewed["frozen"]) == ("-400s", True)
    assert "frozen    false" in command("clock", "unfreeze")[1]
    assert json.loads(command("clock", "rate", "60", "--json")[1])["rate"] == 60
    assert "2099-01-01T00:00" in command("clock", "set", "2099-01-01T00:00:00Z")[1]
    assert command("clock")[0] == 0


def test_rules_are_set_listed_and_deleted(server: MockServer, command: Command) -> None:
    command("fail", "coinapi", "--reject", "rate_limited", "--requests", "1-2", "--name", "storm")
    command("fail", "--deliver", "delay=1ms", "--header", "X-Test=1", "--mutate", "bom")
    rules = json.loads(command("fail", "--list", "--json")[1])["rules"]
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
    assert "storm  [over, matched 2, fired 2]" in command("fail", "--list")[1]
    assert "storm" not in command("fail", "--delete", "storm")[1]
    assert command("fail", "--clear")[1] == "no rules\n"


def test_a_scenario_is_played_and_stopped(
    server: MockServer, command: Command, tmp_path: Path
) -> None:
    assert "storm" in command("play", "rate-limit-storm")[1]
    assert command("stop")[1] == "rate-limit-storm is stopped\n"
    assert command("stop")[1] == "no scenario plays\n"
    file = tmp_path / "mine.yaml"
    file.write_text("rules: [{name: down, answer: {reject: service_unavailable}}]")
    assert "down" in command("play", str(file))[1]
    assert read(server) == 503
    command("reset")
    assert server.faults == []


def test_requests_are_counted(server: MockServer, command: Command) -> None:
    read(server)
    read(server, "nope")
    match = ("verify", "--provider", "coinapi")
    assert command(*match)[:2] == (0, "2 requests match\n")
    assert command(*match, "--status", "200", "--exactly", "1")[0] == 0
    status, out, _ = command(*match, "--status", "200", "--at-least", "2", "--at-most", "3")
    assert status == 1
    assert out.splitlines() == [
        "1 request matches, expected at least 2, at most 3",
        "  coinapi GET /v1/balances: status is 401, not 200",
    ]
    status, out, _ = command(*match, "--exactly", "5", "--json")
    assert (status, json.loads(out)["count"]) == (1, 2)


JUDGES = {
    "check": (["check", "default", "--json"], {"good": True, "kind": "world"}),
    "healthcheck": (["healthcheck", "http://127.0.0.1:1", "--json"], {"healthy": False}),
}


@pytest.mark.parametrize("name", JUDGES)
def test_a_judgement_is_json_too(command: Command, name: str) -> None:
    args, expected = JUDGES[name]
    assert json.loads(command(*args)[1]).items() >= expected.items()


@pytest.mark.parametrize("name", ["worlds", "scenarios", "providers", "facts"])
def test_a_list_is_json_too(command: Command, name: str) -> None:
    assert len(json.loads(command(name, "--json")[1])) > 2


def test_a_wrong_file_is_json_with_its_place(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "world.yaml"
    file.write_text("name: x\ncpx: {}\n")
    status, out, _ = command("check", str(file), "--json")
    wrong = json.loads(out)
    assert (status, wrong["good"], wrong["line"], wrong["at"]) == (2, False, 2, "$.cpx")


def test_facts_are_filtered_by_status_and_text(command: Command) -> None:
    assumed = json.loads(command("facts", "cpg", "--status", "assumed", "--json")[1])
    assert {fact["status"] for fact in assumed} == {"assumed"}
    found = json.loads(command("facts", "--search", "RETRY-AFTER", "--json")[1])
    assert 0 < len(found) < 60
    assert all("retry-after" in json.dumps(fact).lower() for fact in found)


def test_what_init_writes_is_served_and_its_tests_pass(tmp_path: Path) -> None:
    done = run("init", "mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    mine = tmp_path / "mine"
    assert sorted(path.name for path in mine.iterdir()) == sorted(FILES)
    with serving(cwd=mine) as (_, ready):
        assert ready["providers"]["cpg"]["credentials"] == {
            "key_id": "my_key",
            "secret": "my_secret",
        }
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mockserver.py"],
        cwd=mine,
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=SOON * 2,
        check=False,
    )
    assert "2 passed" in tested.stdout, tested.stdout
    again = run("init", "mine", cwd=tmp_path)
    assert (
        again.stderr == "mockserver: mine/mockserver.toml is there already: --force replaces it\n"
    )
    assert run("init", "mine", "--force", cwd=tmp_path).returncode == 0


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
def test_a_shell_completes_names(
    line: str,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = line.split(" ")
    monkeypatch.setenv("_MOCKSERVER_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    with pytest.raises(SystemExit):
        cli.main([], prog_name="mockserver")
    completed = [row.partition(",")[2] for row in capsys.readouterr().out.split()]
    assert sorted(completed) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(command: Command, shell: str) -> None:
    assert "_MOCKSERVER_COMPLETE" in command("completion", shell)[1]


WITH_EXAMPLE = {
    *cli.RUNNING,
    *["serve", "curl", "explain", "facts", "generate", "check", "init", "completion"],
}


@pytest.mark.parametrize("name", [*cli.COMMANDS, *cli.RUNNING])
def test_the_help_of_a_command_has_its_sentence_and_an_example(name: str, command: Command) -> None:
    about = {**cli.COMMANDS, **cli.RUNNING}[name]
    help_text = " ".join(command(name, "--help")[1].split())
    assert about in help_text
    if name in WITH_EXAMPLE:
        assert f"Example: mockserver {name}" in help_text or "Examples: " in help_text
    assert "MOCKSERVER_URL" in help_text or name not in cli.RUNNING


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
        ([], {"NO_COLOR": "1"}, True, True, False),
        (["--log-level", "refused"], {}, False, True, True),
        ([], {"MOCKSERVER_LOG_LEVEL": "quiet"}, False, False, False),
    ],
)
def test_a_terminal_shows_the_requests_that_it_shall(
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
        shown = _all_of(ours)
    finally:
        process.kill()
        process.communicate()
        os.close(ours)
    assert ("/v1/balances" in shown, "/nope" in shown, "\x1b[" in shown) == (
        accepted,
        refused,
        coloured,
    )


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
