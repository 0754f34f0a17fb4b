"""Forty wrong inputs over HTTP, in TOML, in YAML and on the command line: each is one line.

The line has the place and, where a name is nearly right, the real one; none has a frame of ours.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from mockserver import MockServer
from mockserver.cli import main as cli

OneLine = Callable[..., str]

SOON = 30  # seconds
D = "/sandboxes/default"

# Method, path, body; where the mistake is; the nearest name, "" where there is none.
HTTP = [
    ("POST", "/sandboxes", {"sed": 1}, "$.sed", "seed"),
    ("POST", "/sandboxes", {"world": "whales"}, "$.world", "whale"),
    ("POST", "/sandboxes", {"quirks": {"cpg.reply": "off"}}, 'quirks["cpg.reply"]', "cpg.replay"),
    ("POST", "/sandboxes", {"ttl": "1hour"}, "$.ttl", ""),
    ("PATCH", D + "/limits", {"cpg.kee": "5/60s"}, "cpg.kee", "cpg.key"),
    ("PATCH", D + "/limits", {"cpg.key": "5"}, "cpg.key", "5/60s"),
    ("POST", D + "/clock", {"advnce": "1s"}, "$.advnce", "advance"),
    ("POST", D + "/clock", {"advance": "1 sec"}, "$.advance", ""),
    ("POST", D + "/faults", {"answer": {"reject": "rate_limitd"}}, "$.answer", "rate_limited"),
    ("POST", D + "/faults", {"deliver": {"rest": "before"}}, "$.deliver.rest", "reset"),
    ("POST", D + "/faults", {"match": {"provider": "cpq"}, "deliver": {"cut": 0.5}}, "$.match", "cpg"),
    ("PUT", D + "/scenario", {"name": "half-lots"}, "$.name", "half-lost"),
    ("POST", D + "/events/cpg", {"event": "key_revokd", "key": "main"}, "$.event", "key_revoked"),
    ("POST", D + "/events/cpg", {"event": "key_revoked", "key": "mian"}, "$", "main"),
    ("POST", D + "/requests/verify", {"match": {"operaton": "x"}, "exactly": 1}, "operaton", "operation"),
    ("POST", D + "/requests/verify", {"match": {"reason": "replayd"}, "exactly": 1}, "$.match.reason", "replayed"),
    ("GET", D + "/requests?provder=cpg", None, "?provder", "provider"),
    ("GET", D + "/requests?credential=main", None, "?credential", ""),
    ("GET", D + "/requests?order=newst", None, "?order", "newest"),
    ("GET", D + "/ledger/cpg/mian", None, "$", "main"),
]  # fmt: skip

TOML = [
    ("prot = 8490", "mockserver.toml: no option prot", "port"),
    ("port = 'x'", "mockserver.toml: port", ""),
    ("log_level = 'al'", "mockserver.toml: log_level", "all"),
    ("world = 'defualt'", "mockserver.toml: world", "default"),
    ("scenario = 'half-lots'", "mockserver.toml: scenario", "half-lost"),
    ("[quirks]\n'cpg.reply' = 'off'", "mockserver.toml", "cpg.replay"),
    ("[limits]\n'cpg.key' = 5", "mockserver.toml", "5/60s"),
]

YAML = [
    ("cgp: {}", "world.yaml:1: $.cgp", "cpg"),
    ("cpg:\n  kees: {}", "world.yaml:2: $.cpg.kees", "keys"),
    ("cpg:\n  keys:\n    main: {key_id: a, secrt: b, account: m}", "$.cpg.keys.main.secrt", "secret"),
    ("cpg:\n  keys:\n    main: {key_id: a, secret: b, account: m, permissions: [withdrw]}", "permissions[0]", "withdraw"),
    ("rules: [{name: a, deliver: {dely: 1s}}]", "world.yaml:1: $.rules[0].deliver.dely", "delay"),
    ("rules: [{name: a, when: {probabilty: 1}, deliver: {cut: 0.5}}]", "probabilty", "probability"),
]  # fmt: skip

COMMANDS = [
    (["serv"], "serv", "serve"),
    (["serve", "--prot", "1"], "--prot", "--port"),
    (["serve", "--quirk", "coinw.empt=null"], "coinw.empt", "coinw.empty"),
    (["curl", "coinwe"], "coinwe", "coinw"),
    (["curl", "cpg", "--credential", "emptyy"], "emptyy", "empty"),
    (["facts", "--status", "observd"], "--status", "observed"),
    (["fail", "cpg", "--reject", "forbiden"], "--reject|answer", "forbidden"),
    (["clock", "advanc", "1s"], "advanc", "advance"),
    (["requests", "--operation", "returnBalance"], "--operation", "returnBalances"),
]


def check(line: str, place: str, nearest: str) -> None:
    assert any(part in line for part in place.split("|")), line
    assert nearest in line
    assert nearest[:3].isdigit() or not nearest or "5/60s" in nearest or "id you mean" in line, line
    assert "Traceback" not in line
    assert ".py" not in line


@pytest.fixture
def one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> OneLine:
    """Runs a command that fails, in an empty folder; returns its line."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> str:
        with pytest.raises(SystemExit) as stopped:
            cli.main(args)
        out, err = capsys.readouterr()
        assert (stopped.value.code, out, err.count("\n")) == (2, "", 1), err
        assert err.startswith("mockserver: ")
        return err

    return run


@pytest.mark.parametrize(("method", "path", "body", "place", "nearest"), HTTP)
def test_over_http(
    server: MockServer, method: str, path: str, body: object, place: str, nearest: str
) -> None:
    answer = requests.request(method, f"{server.url}/__admin{path}", json=body, timeout=SOON)
    assert answer.status_code in (400, 404)
    error = answer.json()
    line = f"{error['at']}: {error['error']}: {error['hint']}"
    assert "\n" not in line
    check(line, place, nearest)


@pytest.mark.parametrize(("text", "place", "nearest"), TOML)
def test_in_toml(one_line: OneLine, text: str, place: str, nearest: str) -> None:
    Path("mockserver.toml").write_text(text, encoding="utf-8")
    check(one_line("serve", "--host", "127.0.0.1"), place, nearest)


@pytest.mark.parametrize(("text", "place", "nearest"), YAML)
def test_in_yaml(one_line: OneLine, text: str, place: str, nearest: str) -> None:
    Path("world.yaml").write_text(text, encoding="utf-8")
    check(one_line("check", "world.yaml"), place, nearest)


@pytest.mark.parametrize(("args", "place", "nearest"), COMMANDS)
def test_on_the_command_line(
    server: MockServer,
    one_line: OneLine,
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    place: str,
    nearest: str,
) -> None:
    monkeypatch.setenv("MOCKSERVER_URL", server.url)
    check(one_line(*args), place, nearest)


def test_there_are_forty() -> None:
    assert len(HTTP) + len(TOML) + len(YAML) + len(COMMANDS) >= 40
