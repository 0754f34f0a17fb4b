"""``mockserver serve`` as a process: its output, its settings, its signals."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from contract_tests.cli.conftest import Command
from contract_tests.clients.senders import tool
from contract_tests.support.processes import CLEAN, COMMAND, SOON, run, serving, shell
from contract_tests.support.raw import taken
from mockserver import HandClock, MockServer
from mockserver.cli.curl import curl_line
from mockserver.files.lookup import fixtures
from mockserver.files.worlds import shipped
from mockserver.providers import discover

CURL_READS_BITSTAMP = "curl coinapi --query ?exchange_id=BITSTAMP --url"


def test_the_printed_curl_lines_are_accepted(summary: dict[str, Any], tmp_path: Path) -> None:
    tool("curl")
    assert list(summary["providers"]) == list(discover())
    for name, provider in summary["providers"].items():
        words = provider["example"].split()
        url = provider["base_url"]
        assert words[words.index("curl") :] == ["curl", name, "--url", url, "|", "sh"]
    status, body = shell(summary["providers"]["cpg"]["example"], tmp_path)
    assert status == 0, body
    assert json.loads(body)["success"]


def test_curl_sends_the_query(summary: dict[str, Any], command: Command, tmp_path: Path) -> None:
    tool("curl")
    url = summary["providers"]["coinapi"]["base_url"]
    line = command(*CURL_READS_BITSTAMP.split(), url)[1]
    assert shell(line, tmp_path)[1] == '[{"exchange_id":"BITSTAMP","data":[]}]\n'


def test_a_curl_line_is_accepted_an_hour_later_because_it_signs_when_it_runs(
    tmp_path: Path,
) -> None:
    tool("curl")
    clock = HandClock()
    with MockServer(real=clock) as server:
        for name, provider in discover().items():
            key = server.app.sandboxes.default.states[name].keyring.with_label("main")
            for _ in range(2):
                line = curl_line(provider, key, getattr(server, name).base_url, "", clock())
                assert shell(line, tmp_path)[0] == 0
                clock.advance("1h")


def test_the_json_is_one_line_with_all_that_a_client_needs(tmp_path: Path) -> None:
    with serving(cwd=tmp_path) as (process, summary):
        assert set(summary) == {"gateway", "admin", "providers"}
        assert requests.get(summary["admin"] + "/health", timeout=SOON).json()["status"] == "ok"
        cpg, coinapi = summary["providers"]["cpg"], summary["providers"]["coinapi"]
        assert cpg["credentials"] == {"key_id": "cpg_test_key", "secret": "test_secret_do_not_use"}
        assert coinapi["credentials"] == {"api_key": "73034021-THIS-IS-SAMPLE-KEY"}
        assert cpg["others"]["ip_locked"]["key_id"] == "cpg_ip_locked"
        assert cpg["others"]["reject-forbidden"]["key_id"] == "reject-forbidden"
        for provider in summary["providers"].values():
            here = urlsplit(provider["base_url"])._replace(path="").geturl()
            assert requests.get(here + "/healthz", timeout=SOON).text == "ok\n"
            document = requests.get(here + "/openapi.json", timeout=SOON).json()
            assert document["openapi"] == "3.1.0"
            assert document["servers"] == [{"url": provider["base_url"]}], "not the real exchange"
        process.terminate()
        assert process.communicate(timeout=SOON)[0] == "", "nothing else on stdout"


def test_the_table_shows_the_same_and_ctrl_c_stops_the_server(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=CLEAN,
        text=True,
    )
    with process.stdout as stdout:
        text = "".join(iter(stdout.readline, "Paste at any time:\n"))
        text += "".join(stdout.readline() for _ in discover())
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 0
    for fragment in (
        "Ctrl-C stops it",
        "cpg_test_key",
        "73034021-THIS-IS-SAMPLE-KEY",
        "curl cpg --url",
    ):
        assert fragment in text


HALF = b"POST /cpg/v1/withdrawals HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"


def test_sigterm_ends_the_server_with_status_0_during_a_request(tmp_path: Path) -> None:
    with serving(cwd=tmp_path) as (process, summary):
        port = int(summary["gateway"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(HALF)
            process.terminate()
            assert process.wait(SOON) == 0
        assert process.stderr.read() == ""


def test_a_port_in_use_is_named_in_the_error(tmp_path: Path) -> None:
    with taken(offset=2) as port:
        done = run("serve", "--port", str(port), cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"mockserver: port {port + 2} is in use: choose another with --port\n"


# Settings


def settings(summary: dict[str, Any], part: str = "") -> Any:
    """Returns the default sandbox, or a part of it."""
    return requests.get(f"{summary['admin']}/sandboxes/default{part}", timeout=SOON).json()


def world(path: Path, key: str) -> str:
    """Writes a world in which CoinAPI has one key; returns its path."""
    keys = f"{{main: {{api_key: {key}, account: a}}}}"
    path.write_text(f"coinapi: {{keys: {keys}, accounts: {{a: {{}}}}}}")
    return str(path)


def api_key(summary: dict[str, Any]) -> str:
    return str(summary["providers"]["coinapi"]["credentials"]["api_key"])


FILE = """
seed = 1
world = "file.yaml"
[limits]
"coinapi.reads" = "1/1h"
"cpg.key" = "3/60s"
[quirks]
cpg.replay = false
coinstats.credits = 25
cpg.timestamp_window = 1.5
"""


def test_options_precede_variables_and_variables_precede_the_file(tmp_path: Path) -> None:
    (tmp_path / "mockserver.toml").write_text(FILE)
    world(tmp_path / "file.yaml", "FILE")
    variables = {
        "MOCKSERVER_WORLD": world(tmp_path / "variable.yaml", "VARIABLE"),
        "MOCKSERVER_SEED": "7",
    }
    options = ["--world", world(tmp_path / "option.yaml", "OPTION"), "--limit", "cpg.key=5/1m30s"]
    with serving(*options, cwd=tmp_path, env=variables) as (_, summary):
        assert (api_key(summary), settings(summary)["seed"]) == ("OPTION", 7)
        limits, quirks = settings(summary, "/limits"), settings(summary, "/quirks")
    assert (limits["coinapi.reads"], limits["cpg.key"]) == ("1/3600s", "5/90s")
    names = ("cpg.replay", "coinstats.credits", "cpg.timestamp_window")
    assert [quirks[name] for name in names] == ["off", "25", "1500ms"]
    options = ["--limits", "off", "--limit", "cpg.ip=5/60s", "--seed", "8"]
    with serving(*options, cwd=tmp_path, env={"MOCKSERVER_SEED": "7"}) as (_, summary):
        assert (api_key(summary), settings(summary)["seed"]) == ("FILE", 8)
        limits = settings(summary, "/limits")
    assert {name for name, text in limits.items() if text != "off"} == {"cpg.ip"}


def test_a_public_url_starts_every_url_that_is_shown(tmp_path: Path) -> None:
    options = ("--public-url", "http://mock.test:1234/", "--host", "localhost")
    with serving(*options, cwd=tmp_path) as (_, summary):
        assert summary["gateway"] == "http://mock.test:1234"
        assert summary["providers"]["cpg"]["base_url"] == "http://mock.test:1234/cpg"


def test_a_server_beyond_loopback_asks_for_its_token(tmp_path: Path) -> None:
    env = {"MOCKSERVER_ADMIN_TOKEN": "t0ken"}
    with serving("--host", "0.0.0.0", cwd=tmp_path, env=env) as (_, summary):
        url = summary["admin"] + "/providers"
        assert requests.get(url, timeout=SOON).status_code == 401
        assert summary["gateway"].startswith("http://127.0.0.1:"), "an address to dial"
        foreign = {"Authorization": "Bearer t0ken", "Origin": "http://evil.test"}
        assert requests.get(url, headers=foreign, timeout=SOON).status_code == 403
        good = requests.get(url, headers={"Authorization": "Bearer t0ken"}, timeout=SOON)
        assert set(good.json()) == set(discover())


def test_curl_and_healthcheck_read_the_configuration_of_this_folder(
    command: Command, tmp_path: Path
) -> None:
    assert "127.0.0.1:9002/" in command("curl", "coinapi", MOCKSERVER_PORT="9000")[1]
    key = world(tmp_path / "mine.yaml", "MINE")
    (tmp_path / "mockserver.toml").write_text(f'port = 9100\nworld = "{key}"')
    line = command("curl", "coinapi")[1]
    assert "127.0.0.1:9102/" in line
    assert "X-CoinAPI-Key: MINE" in line
    assert "127.0.0.1:9100/healthz" in command("healthcheck")[2]


def test_a_printed_example_names_its_world(tmp_path: Path) -> None:
    tool("curl")
    with serving("--world", world(tmp_path / "mine.yaml", "MINE"), cwd=tmp_path) as (_, summary):
        assert shell(summary["providers"]["coinapi"]["example"], tmp_path.parent) == (0, "[]\n")
        others = [summary["providers"][name] for name in ("cdp", "cpg")]
    for provider in others:  # which this world has no keys of
        assert (provider["credentials"], provider["others"], provider["example"]) == ({}, {}, "")


# The log


def line_with(fragment: str, process: subprocess.Popen[str]) -> str:
    """Returns the first log line with a fragment; a server that never writes it is killed."""
    end = threading.Timer(SOON, process.kill)
    end.start()
    try:
        return next(line for line in process.stderr if fragment in line)
    finally:
        end.cancel()


@pytest.mark.parametrize("options", [["--watch"], []], ids=["watched", "by SIGHUP"])
def test_a_changed_world_is_reloaded_and_a_wrong_one_is_not(
    tmp_path: Path, options: list[str]
) -> None:
    file = tmp_path / "watched.yaml"
    with serving("--world", world(file, "FIRST"), *options, cwd=tmp_path) as (process, summary):

        def status(key: str) -> int:
            url = summary["providers"]["coinapi"]["base_url"] + "/v1/balances"
            return requests.get(url, headers={"X-CoinAPI-Key": key}, timeout=SOON).status_code

        def line_after_change(fragment: str) -> str:
            if not options:
                process.send_signal(signal.SIGHUP)
            return line_with(fragment, process)

        assert status("FIRST") == 200
        file.write_text("coinapi: {keys: 1}")
        assert "$.coinapi.keys" in line_after_change("not reloaded")
        assert status("FIRST") == 200
        for old, new in (("FIRST", "SECOND"), ("SECOND", "THIRD")):
            world(file, new)
            line_after_change("world reloaded")
            assert (status(old), status(new)) == (401, 200)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_rejected_request_is_one_line_without_a_secret(tmp_path: Path, form: str) -> None:
    with serving("--log-format", form, cwd=tmp_path) as (process, summary):
        url = summary["providers"]["coinapi"]["base_url"]
        key = {"X-CoinAPI-Key": api_key(summary)}
        accepted = requests.get(url + "/v1/balances", headers=key, timeout=SOON)
        assert accepted.status_code == 200  # and no line of the log
        requests.get(url + "/v1/balances?apikey=s3cret&x=%0A", timeout=SOON)
        line = process.stderr.readline()
        text = json.loads(line)["message"] if form == "json" else line.rstrip("\n")
        assert "coinapi GET /v1/balances?apikey=redacted:" in text
        fix = "Use a key of this sandbox's world."
        assert text.endswith(f"-> 401 unknown_credential: unknown_credential. {fix}")
        assert "s3cret" not in line
        requests.get(url + "/v1/balances?exchange_id=BITMEX", headers=key, timeout=SOON)
        assert "-> 490 exchange_unreachable (key main): " in process.stderr.readline()
        if form == "json":
            fields = json.loads(line)
            assert datetime.fromisoformat(fields.pop("time")).tzinfo is not None
            assert fields.pop("message") == text
            assert 0 <= fields.pop("duration_us") < SOON * 1_000_000
            assert fields == {
                "level": "info",
                "provider": "coinapi",
                "operation": "getBalances",
                "method": "GET",
                "target": text.split()[2],
                "status": 401,
                "reason": "unknown_credential",
                "credential": "",
                "explanation": {
                    "rule": "unknown_credential",
                    "expected": "a key that exists",
                    "received": "",
                    "fix": fix,
                },
            }


# Commands that need no server, or only look at one


def test_healthcheck_sets_the_exit_status(summary: dict[str, Any], command: Command) -> None:
    proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    url = summary["gateway"]
    assert command("healthcheck", url, **proxy)[0] == 0
    assert command("healthcheck", MOCKSERVER_PORT=url.rpartition(":")[2])[0] == 0
    status, _, err = command("healthcheck", "http://127.0.0.1:1")
    assert (status, err.count("\n")) == (1, 1)


def test_the_shipped_worlds_providers_and_facts_are_listed(command: Command) -> None:
    assert [line.split()[0] for line in command("worlds")[1].splitlines()] == shipped()
    descriptions = json.loads(command("providers", "--json")[1])
    for name, provider in discover().items():
        operations = [operation["id"] for operation in descriptions[name]["operations"]]
        assert operations == [route.id for route in provider.routes]
        assert descriptions[name]["reasons"] == sorted(provider.errors)
        assert {*descriptions[name]["quirks"]} == {quirk.name for quirk in provider.quirks}
    assert "quirk cpg.replay=on" in command("providers")[1]
    facts = json.loads(command("facts", "coinapi", "--json")[1])
    assert {fact["status"] for fact in facts} == {"documented", "observed", "assumed"}
    assert facts[0]["id"] in command("facts")[1]
    file = str(fixtures() / "worlds" / "default.yaml")
    assert command("check", file)[1] == f"{file}: world default is good, 274 rows\n"


def test_the_installed_package_serves_from_an_empty_folder(tmp_path: Path) -> None:
    """The package is built, installed without the checkout, and started in an empty folder."""
    checkout, installed, empty = Path(__file__).parents[2], tmp_path / "lib", tmp_path / "empty"
    source = tmp_path / "source"
    for name in ("mockserver", "fixtures"):
        shutil.copytree(
            checkout / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(checkout / name, source)
    empty.mkdir()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", installed]
    subprocess.run([*pip, *options, source], check=True)
    env = {"PYTHONPATH": str(installed)}
    command = [str(installed / "bin" / "mockserver")]
    with serving(cwd=empty, env=env, command=command) as (_, summary):
        assert list(summary["providers"]) == list(discover())
        words = summary["providers"]["cpg"]["example"].split()
        line = " ".join(command + words[words.index("curl") :])
        assert shell(line, empty, CLEAN | env)[0] == 0
    where = (
        "import mockserver, mockserver.files.lookup as f; print(mockserver.__file__, f.fixtures())"
    )
    paths = subprocess.check_output(
        [sys.executable, "-c", where], env=CLEAN | env, cwd=empty, text=True
    )
    assert all(path.startswith(str(installed)) for path in paths.split())
