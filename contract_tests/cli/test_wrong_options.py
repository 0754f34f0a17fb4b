"""Wrong options, files and variables: one line that names the place, and exit status 2."""

from pathlib import Path

import pytest

from contract_tests.cli.conftest import Command
from contract_tests.support.processes import run

# Arguments, and words of the line.
OPTIONS = [
    ("serve --port x", "--port"),
    ("serve --port 70000", "--port"),
    ("serve --prot 1", "'--port'"),
    ("serve --world nowhere", "nowhere: no such world"),
    ("serve --limits some", "limits is default, off, or single limits"),
    ("serve --limit cpg.key", "--limit cpg.key: write NAME.LIMIT=N/DURATION, as in cpg.key=5/60s"),
    ("serve --limit cpg.key=5", "limit cpg.key: write N/DURATION, as in 5/60s, or off; not '5'"),
    ("serve --limit cpg.nope=5/60s", "no limit cpg.nope: there are"),
    ("serve --quirk cpg.replay", "write NAME.KEY=VALUE"),
    ("serve --quirk cpg.nope=1", "no quirk cpg.nope: there are"),
    ("serve --quirk coinw.empt=null", "did you mean coinw.empty?"),
    ("serve --quirk cpg.replay=maybe", "quirk cpg.replay: 'maybe' is none of on, off"),
    ("serve --quirk cpg.timestamp_window=5minutes", "is no duration"),
    ("serve --quirk cpg.timestamp_window=-5s", "'-5s' lies below zero"),
    ("serve --public-url mock.test", "a public URL starts with http:// or https://"),
    ("serve --host 0.0.0.0", "--host 0.0.0.0 is not loopback: set MOCKSERVER_ADMIN_TOKEN"),
    ("serve --host 127.0.0.999", "127.0.0.999"),
    ("serve --port 0 --tls-fault expird", "'expired'"),
    ("serve --port 0 --proxy-port 70000", "proxy-port"),
    ("serve --port 0 --grace nan", "--grace takes seconds"),
    ("serve --processes 2 --proxy-port 0", "are for one process"),
    ("trust --url http://127.0.0.1:9", "no gateway answers"),
    ("trust --ca-dir file", "choose another --ca-dir"),
    ("curl coinwe", "did you mean coinw?"),
    ("curl cpg --credential emptyy", "did you mean empty?"),
    ("curl cpg --query é", "percent-encode it"),
    ("facts nope", "no provider nope"),
    ("facts --status observd", "id you mean"),
    ("check nowhere", "nowhere: no such world"),
    ("check nowhere.yaml", "nowhere.yaml"),
    ("check rules.yaml", "rules.yaml:1: $.rules[0].deliver.dely: "),
    ("serv", "did you mean serve?"),
]


@pytest.mark.parametrize(("line", "words"), OPTIONS)
def test_a_wrong_option_is_one_line_and_status_2(
    command: Command, tmp_path: Path, line: str, words: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "rules.yaml").write_text("rules: [{name: a, deliver: {dely: 1s}}]")
    status, out, err = command(*line.split())
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("mockserver: ")
    assert words in err


def test_the_process_itself_ends_with_status_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("serve", "--port", "0", "--tls", "--ca-dir", "file", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "choose another --ca-dir" in done.stderr


# The content of mockserver.toml, and words of the line.
FILES = [
    ("port = 'x'", "mockserver.toml: port takes a whole number, not 'x'"),
    ("port = true", "mockserver.toml: port takes a whole number, not True"),
    ("prot = 1", "mockserver.toml: no option prot: "),
    ("prot = 2", "did you mean port?"),
    ("port = ", "mockserver.toml: Invalid value (at "),
    ("port = 70000", "mockserver.toml: port: 70000 is not in the range"),
    ("[quirks]\ncpg.replay = 5", "mockserver.toml: quirk cpg.replay: '5' is none of on, off"),
    ("[quirks]\ncpg.replay = 2026-01-01", "mockserver.toml: quirk cpg.replay: datetime.date(2026, 1, 1) is no text"),
    ("[quirks]\ncpg.timestamp_window = nan", "mockserver.toml: quirk cpg.timestamp_window: nan is no duration"),
    ("quirks = 1", "mockserver.toml: quirks is a table"),
    ("[limits]\ncpg.key = 5", "mockserver.toml: limit cpg.key: write N/DURATION, as in 5/60s, or off; not 5"),
    ("[limits]\n'cpg.nope' = 'off'", "no limit cpg.nope: there are"),
    ("limits = 'x'", "mockserver.toml: limits: limits is default, off"),
    ("log_format = 'x'", "mockserver.toml: log_format: 'x' is not one of"),
    ("host = '0.0.0.0'", "mockserver.toml: host: --host 0.0.0.0 is not loopback"),
    ("public_url = 'x'", "mockserver.toml: public_url: a public URL starts with"),
    ("scenario = 'x'", "mockserver.toml: scenario: x: no such scenario"),
    ("world = 'nowhere'", "nowhere: no such world"),
    ("world = 'defualt'", "did you mean default?"),
    ("scenario = 'half-lots'", "did you mean half-lost?"),
    ("log_level = 'al'", "did you mean all?"),
    ("[quirks]\n'cpg.reply' = 'off'", "did you mean cpg.replay?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), FILES)
def test_a_mistake_in_the_file_names_the_file(
    command: Command, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "mockserver.toml").write_text(text)
    status, out, err = command("serve")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err


KUBERNETES = "MOCKSERVER_PORT: 'tcp://10.0.0.1:8490' comes from Kubernetes"
VARIABLES = [
    ("WRLD", "x", "no variable MOCKSERVER_WRLD: did you mean MOCKSERVER_WORLD?"),
    ("ADMIN_TOKN", "x", "did you mean MOCKSERVER_ADMIN_TOKEN?"),
    ("PORT", "70000", "MOCKSERVER_PORT: 70000 is not in the range"),
    ("PORT", "tcp://10.0.0.1:8490", KUBERNETES),
    ("SEED", "x", "MOCKSERVER_SEED: 'x' is not a valid integer"),
    ("LIMITS", "x", "MOCKSERVER_LIMITS: limits is default, off"),
    ("LOG_FORMAT", "x", "MOCKSERVER_LOG_FORMAT: 'x' is not one of"),
    ("HOST", "0.0.0.0", "MOCKSERVER_HOST: --host 0.0.0.0 is not loopback"),
    ("PUBLIC_URL", "x", "MOCKSERVER_PUBLIC_URL: a public URL starts with"),
    ("WORLD", "x", "MOCKSERVER_WORLD: x: no such world"),
    ("SCENARIO", "x", "MOCKSERVER_SCENARIO: x: no such scenario"),
]


@pytest.mark.parametrize(("name", "value", "words"), VARIABLES)
def test_a_mistake_in_a_variable_names_the_variable(
    command: Command, name: str, value: str, words: str
) -> None:
    status, out, err = command("serve", **{f"MOCKSERVER_{name}": value})
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_every_command_names_a_port_that_kubernetes_has_set(command: Command) -> None:
    for args in (["curl", "cpg"], ["healthcheck"]):
        status, _, err = command(*args, MOCKSERVER_PORT="tcp://10.0.0.1:8490")
        assert (status, err.count("\n")) == (2, 1)
        assert "comes from Kubernetes" in err


def test_variables_of_a_kubernetes_service_are_ignored(command: Command) -> None:
    names = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8490_TCP", "LOG_LEVEL")
    names += ("PORT_8490_TCP_PROTO", "PORT_8490_TCP_PORT", "PORT_8490_TCP_ADDR", "SERVER_PORT")
    assert command("worlds", **{f"MOCKSERVER_{name}": "x" for name in names})[0] == 0


# MOCKSERVER_ADMIN_TOKEN, the content of the file, words of the line.
TOKENS = [
    ("", "\n", "this file is empty"),
    ("", None, "No such file"),
    ("other", "secret", "not both"),
]


@pytest.mark.parametrize(("token", "content", "words"), TOKENS)
def test_a_wrong_token_file_is_one_line(
    command: Command, tmp_path: Path, token: str, content: str | None, words: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    variables = {"MOCKSERVER_ADMIN_TOKEN": token, "MOCKSERVER_ADMIN_TOKEN_FILE": str(file)}
    status, _, err = command("serve", "--port", "0", **variables)
    assert (status, err.count("\n")) == (2, 1)
    assert words in err
