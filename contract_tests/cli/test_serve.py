"""The command ``mockserver`` as people and scripts use it: a process, its output, its exit status."""

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

from contract_tests.clients.senders import tool
from contract_tests.support.processes import CLEAN, COMMAND, SOON, run, serving, shell
from contract_tests.support.raw import taken
from mockserver import Auth, HandClock, MockServer
from mockserver.cli.curl import curl_line
from mockserver.files.lookup import fixtures
from mockserver.files.worlds import shipped
from mockserver.providers import discover


def test_every_printed_example_answers_200_when_pasted(tmp_path: Path) -> None:
    tool("curl")
    with serving(cwd=tmp_path) as (_, summary):
        assert list(summary["providers"]) == list(discover())
        for provider in summary["providers"].values():
            status, body = shell(provider["example"], tmp_path)
            assert status == 0, body
            json.loads(body)


def test_an_hour_later_the_same_line_is_good_because_it_signs_when_it_runs(tmp_path: Path) -> None:
    tool("curl")
    clock = HandClock()
    with MockServer(real=clock) as server:
        for name, provider in discover().items():
            key = server.app.sandboxes.default.states[name].keyring.with_label("main")
            for _ in range(2):
                line = curl_line(provider, key, getattr(server, name).base_url, "", clock())
                assert shell(line, tmp_path)[0] == 0
                clock.advance("1h")


def test_json_is_one_line_with_all_a_client_needs(tmp_path: Path) -> None:
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


def test_the_table_has_the_same_for_people(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_0(tmp_path: Path, number: int) -> None:
    with serving(cwd=tmp_path) as (process, summary):
        port = int(summary["gateway"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.sendall(HALF)
            process.send_signal(number)
            assert process.wait(SOON) == 0
        assert process.stderr.read() == ""


def test_a_port_in_use_is_named_in_the_error(tmp_path: Path) -> None:
    with taken(offset=2) as port:
        done = run("serve", "--port", str(port), cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"mockserver: port {port + 2} is in use: choose another with --port\n"


MISTAKES = [
    (["serve", "--port", "x"], "--port"),
    (["serve", "--port", "70000"], "--port"),
    (["serve", "--nope"], "--nope"),
    (["serve", "--seed", "x"], "--seed"),
    (["serve", "--world", "nowhere"], "nowhere: no such world"),
    (["serve", "--limits", "some"], "limits is default, off, or single limits"),
    (
        ["serve", "--limit", "cpg.key"],
        "--limit cpg.key: write NAME.LIMIT=N/DURATION, as in cpg.key=5/60s",
    ),
    (
        ["serve", "--limit", "cpg.key=5"],
        "limit cpg.key: write N/DURATION, as in 5/60s, or off; not '5'",
    ),
    (["serve", "--limit", "cpg.nope=5/60s"], "no limit cpg.nope: there are"),
    (["serve", "--log-format", "x"], "--log-format"),
    (["serve", "--quirk", "cpg.replay"], "write NAME.KEY=VALUE"),
    (["serve", "--quirk", "cpg.nope=1"], "no quirk cpg.nope: there are"),
    (["serve", "--quirk", "cpg.replay=maybe"], "quirk cpg.replay: 'maybe' is none of on, off"),
    (["serve", "--quirk", "cpg.timestamp_window=5 minutes"], "is no duration"),
    (["serve", "--quirk", "cpg.timestamp_window=-5s"], "'-5s' lies below zero"),
    (["serve", "--public-url", "mock.test"], "a public URL starts with http:// or https://"),
    (["curl", "cpg", "--query", "a=US DT"], "percent-encode it"),
    (["check", "nowhere"], "nowhere: no such world"),
    (["serve", "--host", "0.0.0.0"], "--host 0.0.0.0 is not loopback: set MOCKSERVER_ADMIN_TOKEN"),
    (["serve", "--host", "127.0.0.999"], "127.0.0.999"),
    (["curl", "nope"], "no provider nope"),
    (["curl", "cpg", "--credential", "nope"], "no credential nope"),
    (["facts", "nope"], "no provider nope"),
    (["check", "nowhere.yaml"], "nowhere.yaml"),
    (["nope"], "nope"),
]


@pytest.mark.parametrize(("args", "what"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_a_mistake_is_one_line_and_exit_2(tmp_path: Path, args: list[str], what: str) -> None:
    done = run(*args, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert what in done.stderr
    assert done.stderr.startswith("mockserver: ")
    assert done.stderr.count("\n") == 1, done.stderr


FILES = [
    ("port = 'x'", "mockserver.toml: port takes a whole number, not 'x'"),
    ("port = true", "mockserver.toml: port takes a whole number, not True"),
    ("prot = 1", "mockserver.toml: no option prot"),
    ("port = ", "mockserver.toml: Invalid value (at "),
    ("[quirks]\ncpg.replay = 5", "mockserver.toml: quirk cpg.replay: '5' is none of on, off"),
    (
        "[quirks]\ncpg.replay = 2026-01-01",
        "mockserver.toml: quirk cpg.replay: datetime.date(2026, 1, 1) is no text",
    ),
    (
        "[quirks]\ncpg.timestamp_window = nan",
        "mockserver.toml: quirk cpg.timestamp_window: nan is no duration",
    ),
    (
        "[limits]\ncpg.key = 5",
        "mockserver.toml: limit cpg.key: write N/DURATION, as in 5/60s, or off; not 5",
    ),
    ("port = 70000", "mockserver.toml: port: 70000 is not in the range"),
    ("log_format = 'x'", "mockserver.toml: log_format: 'x' is not one of"),
    ("limits = 'x'", "mockserver.toml: limits: limits is default, off"),
    ("host = '0.0.0.0'", "mockserver.toml: host: --host 0.0.0.0 is not loopback"),
    ("public_url = 'x'", "mockserver.toml: public_url: a public URL starts with"),
    ("scenario = 'x'", "mockserver.toml: scenario: x: no such scenario"),
    ("quirks = 1", "mockserver.toml: quirks is a table"),
    ("[limits]\n'cpg.nope' = 'off'", "no limit cpg.nope: there are"),
    ("[limits]\n'cpg.key' = '120'", "limit cpg.key: write N/DURATION"),
    ("world = 'nowhere'", "nowhere: no such world"),
]


@pytest.mark.parametrize(("text", "what"), FILES, ids=[f[0] for f in FILES])
def test_a_mistake_in_the_file_names_the_file(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "mockserver.toml").write_text(text)
    done = run("serve", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert what in done.stderr


VARIABLES = [
    ({"MOCKSERVER_WRLD": "x"}, "no variable MOCKSERVER_WRLD: did you mean MOCKSERVER_WORLD?"),
    ({"MOCKSERVER_ADMIN_TOKN": "x"}, "did you mean MOCKSERVER_ADMIN_TOKEN?"),
    ({"MOCKSERVER_PORT": "70000"}, "MOCKSERVER_PORT: 70000 is not in the range"),
    ({"MOCKSERVER_PORT": "tcp://10.0.0.1:8490"}, "MOCKSERVER_PORT: 'tcp://10.0.0.1:8490' comes from Kubernetes"),
    ({"MOCKSERVER_SEED": "x"}, "MOCKSERVER_SEED: 'x' is not a valid integer"),
    ({"MOCKSERVER_LIMITS": "x"}, "MOCKSERVER_LIMITS: limits is default, off"),
    ({"MOCKSERVER_LOG_FORMAT": "x"}, "MOCKSERVER_LOG_FORMAT: 'x' is not one of"),
    ({"MOCKSERVER_HOST": "0.0.0.0"}, "MOCKSERVER_HOST: --host 0.0.0.0 is not loopback"),
    ({"MOCKSERVER_PUBLIC_URL": "x"}, "MOCKSERVER_PUBLIC_URL: a public URL starts with"),
    ({"MOCKSERVER_WORLD": "x"}, "MOCKSERVER_WORLD: x: no such world"),
    ({"MOCKSERVER_SCENARIO": "x"}, "MOCKSERVER_SCENARIO: x: no such scenario"),
]  # fmt: skip


@pytest.mark.parametrize(("env", "what"), VARIABLES, ids=[next(iter(v[0])) for v in VARIABLES])
def test_a_mistake_in_a_variable_names_the_variable(
    tmp_path: Path, env: dict[str, str], what: str
) -> None:
    done = run("serve", cwd=tmp_path, env=env)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert what in done.stderr


def test_every_command_names_a_port_that_kubernetes_has_set(tmp_path: Path) -> None:
    env = {"MOCKSERVER_PORT": "tcp://10.0.0.1:8490"}
    for args in (["curl", "cpg"], ["healthcheck"]):
        done = run(*args, cwd=tmp_path, env=env)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "comes from Kubernetes" in done.stderr


def test_variables_that_others_set_are_no_mistake(tmp_path: Path) -> None:
    names = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8490_TCP", "LOG_LEVEL")
    names += ("PORT_8490_TCP_PROTO", "PORT_8490_TCP_PORT", "PORT_8490_TCP_ADDR", "SERVER_PORT")
    env = {f"MOCKSERVER_{name}": "x" for name in names}
    assert run("worlds", cwd=tmp_path, env=env).returncode == 0


def test_single_limits_stand_beside_the_word_and_the_file(tmp_path: Path) -> None:
    (tmp_path / "mockserver.toml").write_text('[limits]\n"coinapi.reads" = "1/1h"\n')
    with serving("--limit", "cpg.key=5/1m30s", cwd=tmp_path) as (_, summary):
        limits = requests.get(summary["admin"] + "/sandboxes/default/limits", timeout=SOON).json()
        assert (limits["coinapi.reads"], limits["cpg.key"]) == ("1/3600s", "5/90s")
    with serving("--limits", "off", "--limit", "cpg.key=5/60s", cwd=tmp_path) as (_, summary):
        limits = requests.get(summary["admin"] + "/sandboxes/default/limits", timeout=SOON).json()
        assert {name for name, text in limits.items() if text != "off"} == {"cpg.key"}


def test_the_file_gives_numbers_and_booleans_as_they_are(tmp_path: Path) -> None:
    text = "[quirks]\ncpg.replay = false\ncoinstats.credits = 25\ncpg.timestamp_window = 1.5\n"
    (tmp_path / "mockserver.toml").write_text(text)
    with serving(cwd=tmp_path) as (_, summary):
        quirks = requests.get(summary["admin"] + "/sandboxes/default/quirks", timeout=SOON).json()
        values = [
            quirks[f"{name}"]
            for name in ("cpg.replay", "coinstats.credits", "cpg.timestamp_window")
        ]
        assert values == ["off", "25", "1500ms"]


def credential(summary: dict[str, Any]) -> str | None:
    return summary["providers"]["coinapi"]["credentials"].get("api_key")


def world(path: Path, key: str) -> str:
    path.write_text(
        f"coinapi: {{keys: {{main: {{api_key: {key}, account: a}}}}, accounts: {{a: {{}}}}}}"
    )
    return str(path)


def test_flags_beat_the_environment_that_the_file_that_the_defaults(tmp_path: Path) -> None:
    by_file = world(tmp_path / "file.yaml", "FILE")
    by_env = {"MOCKSERVER_WORLD": world(tmp_path / "env.yaml", "ENVIRONMENT")}
    by_flag = ["--world", world(tmp_path / "flag.yaml", "FLAG")]
    with serving(cwd=tmp_path) as (_, summary):
        assert credential(summary) == "73034021-THIS-IS-SAMPLE-KEY"
    (tmp_path / "mockserver.toml").write_text(f'world = "{by_file}"')
    with serving(cwd=tmp_path) as (_, summary):
        assert credential(summary) == "FILE"
    with serving(cwd=tmp_path, env=by_env) as (_, summary):
        assert credential(summary) == "ENVIRONMENT"
    with serving(*by_flag, cwd=tmp_path, env=by_env) as (_, summary):
        assert credential(summary) == "FLAG"


def reads(summary: dict[str, Any], count: int) -> set[int]:
    handle = summary["providers"]["coinapi"]
    headers = {"X-CoinAPI-Key": handle["credentials"]["api_key"]}
    url = handle["base_url"] + "/v1/balances"
    with requests.Session() as session:
        return {session.get(url, headers=headers, timeout=SOON).status_code for _ in range(count)}


def test_the_file_sets_limits_and_quirks_and_the_flag_switches_limits_off(tmp_path: Path) -> None:
    (tmp_path / "mockserver.toml").write_text(
        '[limits]\n"coinapi.reads" = "1/1h"\n[quirks]\ncoinapi.success_media_type = "application/json"\n'
    )
    with serving(cwd=tmp_path) as (_, summary):
        assert reads(summary, 3) == {200, 429}
    with serving("--limits", "off", cwd=tmp_path) as (_, summary):
        assert reads(summary, 3) == {200}


def test_a_public_url_stands_in_front_of_all_that_is_handed_out(tmp_path: Path) -> None:
    with serving("--public-url", "http://mock.test:1234/", cwd=tmp_path) as (_, summary):
        assert summary["gateway"] == "http://mock.test:1234"
        assert summary["providers"]["cpg"]["base_url"] == "http://mock.test:1234/cpg"


def test_localhost_needs_no_token(tmp_path: Path) -> None:
    with serving("--host", "localhost", cwd=tmp_path) as (_, summary):
        assert requests.get(summary["admin"] + "/health", timeout=SOON).status_code == 200


def test_a_refused_key_is_told_by_its_label(tmp_path: Path) -> None:
    with serving(cwd=tmp_path) as (process, summary):
        url = summary["providers"]["coinapi"]["base_url"] + "/v1/balances?exchange_id=BITMEX"
        key = summary["providers"]["coinapi"]["credentials"]["api_key"]
        requests.get(url, headers={"X-CoinAPI-Key": key}, timeout=SOON)
        line = process.stderr.readline()
        assert "-> 490 exchange_unreachable (key main): exchange unreachable. " in line


def test_another_address_asks_for_the_token_it_was_given(tmp_path: Path) -> None:
    env = {"MOCKSERVER_ADMIN_TOKEN": "t0ken"}
    with serving("--host", "0.0.0.0", cwd=tmp_path, env=env) as (_, summary):
        url = summary["admin"] + "/providers"
        assert requests.get(url, timeout=SOON).status_code == 401
        assert summary["gateway"].startswith("http://127.0.0.1:"), "an address to dial"
        foreign = {"Authorization": "Bearer t0ken", "Origin": "http://evil.test"}
        assert requests.get(url, headers=foreign, timeout=SOON).status_code == 403
        good = requests.get(url, headers={"Authorization": "Bearer t0ken"}, timeout=SOON)
        assert set(good.json()) == set(discover())


GUARDED = [
    ({"Host": "evil.test"}, 403),
    ({"Host": "127.0.0.1.evil.test"}, 403),
    ({"Host": "localhost:1@evil.test"}, 403),
    ({"Origin": "http://evil.test"}, 403),
    ({"Host": "localhost"}, 200),
]


@pytest.mark.parametrize(("headers", "status"), GUARDED)
def test_the_control_api_is_for_this_machine_only(
    server: Any, headers: dict[str, str], status: int
) -> None:
    answer = requests.get(server.url + "/__admin/providers", headers=headers, timeout=SOON)
    assert answer.status_code == status


def test_the_control_api_is_on_the_gateway_only(server: Any) -> None:
    for url in (server.cpg.base_url, server.url + "/cpg"):
        answer = requests.get(url + "/__admin/health", timeout=SOON)
        assert answer.json() == {"success": False, "message": "Not Found"}
    answer = requests.get(
        server.url + "/__admin/health", headers={"Host": "cpg.localhost"}, timeout=SOON
    )
    assert answer.status_code == 403


def line_with(fragment: str, process: subprocess.Popen[str]) -> str:
    """Returns the first log line with a fragment; a server that never writes it is killed."""
    end = threading.Timer(SOON, process.kill)
    end.start()
    try:
        return next(line for line in process.stderr if fragment in line)
    finally:
        end.cancel()


def test_watch_takes_a_changed_world_and_leaves_a_broken_one(tmp_path: Path) -> None:
    file = tmp_path / "watched.yaml"
    with serving("--world", world(file, "FIRST"), "--watch", cwd=tmp_path) as (process, summary):

        def status(key: str) -> int:
            url = summary["providers"]["coinapi"]["base_url"] + "/v1/balances"
            return requests.get(url, headers={"X-CoinAPI-Key": key}, timeout=SOON).status_code

        assert status("FIRST") == 200
        file.write_text("coinapi: {keys: 1}")
        assert "$.coinapi.keys" in line_with("not reloaded", process)
        assert status("FIRST") == 200
        for old, new in (("FIRST", "SECOND"), ("SECOND", "THIRD")):
            world(file, new)
            line_with("world reloaded", process)
            assert (status(old), status(new)) == (401, 200)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_refused_request_is_one_line_without_a_secret(tmp_path: Path, form: str) -> None:
    with serving("--log-format", form, cwd=tmp_path) as (process, summary):
        url = summary["providers"]["coinapi"]["base_url"]
        assert reads(summary, 1) == {200}, "and a good one is none"
        requests.get(url + "/v1/balances?apikey=s3cret&x=%0A", timeout=SOON)
        line = process.stderr.readline()
        text = json.loads(line)["message"] if form == "json" else line.rstrip("\n")
        assert "coinapi GET /v1/balances?apikey=redacted:" in text
        fix = "Use a key of this sandbox's world."
        assert text.endswith(f"-> 401 unknown_credential: unknown_credential. {fix}")
        assert "s3cret" not in line
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


def test_healthcheck_sets_the_exit_status(tmp_path: Path) -> None:
    with serving(cwd=tmp_path) as (_, summary):
        proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
        assert run("healthcheck", summary["gateway"], cwd=tmp_path, env=proxy).returncode == 0
        port = summary["gateway"].rpartition(":")[2]
        assert run("healthcheck", cwd=tmp_path, env={"MOCKSERVER_PORT": port}).returncode == 0
        gone = summary["gateway"]
    done = run("healthcheck", gone, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_curl_sends_the_query_it_was_given(tmp_path: Path) -> None:
    tool("curl")
    with serving(cwd=tmp_path) as (_, summary):
        url = summary["providers"]["coinapi"]["base_url"]
        line = run(
            "curl", "coinapi", "--query", "?exchange_id=BITSTAMP", "--url", url, cwd=tmp_path
        ).stdout
        assert shell(line, tmp_path)[1] == '[{"exchange_id":"BITSTAMP","data":[]}]\n'


def test_a_printed_example_names_the_world_it_is_for(tmp_path: Path) -> None:
    tool("curl")
    with serving("--world", world(tmp_path / "mine.yaml", "MINE"), cwd=tmp_path) as (_, summary):
        assert shell(summary["providers"]["coinapi"]["example"], tmp_path.parent) == (0, "[]\n")


def test_the_seed_comes_from_flag_and_environment(tmp_path: Path) -> None:
    def tx_hash(summary: dict[str, Any]) -> str:
        cpg = summary["providers"]["cpg"]
        order = {"currency": "USDT", "network": "ETH", "to_address": "0xrecipient0", "amount": "50"}
        url, auth = cpg["base_url"] + "/v1/withdrawals", Auth("cpg", cpg["credentials"])
        return str(
            requests.post(url, json=order, auth=auth, timeout=SOON).json()["data"]["tx_hash"]
        )

    with serving("--seed", "7", cwd=tmp_path) as (_, summary):
        by_flag = tx_hash(summary)
    with serving(cwd=tmp_path, env={"MOCKSERVER_SEED": "7"}) as (_, summary):
        assert tx_hash(summary) == by_flag
    with serving(cwd=tmp_path) as (_, summary):
        assert tx_hash(summary) != by_flag


def test_curl_and_healthcheck_find_a_server_that_was_configured_from_here(tmp_path: Path) -> None:
    key = world(tmp_path / "mine.yaml", "MINE")
    assert (
        "127.0.0.1:9002/"
        in run("curl", "coinapi", cwd=tmp_path, env={"MOCKSERVER_PORT": "9000"}).stdout
    )
    (tmp_path / "mockserver.toml").write_text(f'port = 9100\nworld = "{key}"')
    line = run("curl", "coinapi", cwd=tmp_path).stdout
    assert "127.0.0.1:9102/" in line
    assert "X-CoinAPI-Key: MINE" in line
    assert "127.0.0.1:9100/healthz" in run("healthcheck", cwd=tmp_path).stderr


def test_a_world_without_main_keys_offers_no_line_to_paste(tmp_path: Path) -> None:
    bare = tmp_path / "bare.yaml"
    bare.write_text("name: bare\n")
    with serving("--world", str(bare), cwd=tmp_path) as (_, summary):
        for provider in summary["providers"].values():
            assert (provider["credentials"], provider["others"], provider["example"]) == (
                {},
                {},
                "",
            )


def test_worlds_providers_facts_and_check_print_what_is_shipped(tmp_path: Path) -> None:
    assert [
        line.split()[0] for line in run("worlds", cwd=tmp_path).stdout.splitlines()
    ] == shipped()
    descriptions = json.loads(run("providers", "--json", cwd=tmp_path).stdout)
    for name, provider in discover().items():
        assert [o["id"] for o in descriptions[name]["operations"]] == [
            r.id for r in provider.routes
        ]
        assert descriptions[name]["reasons"] == sorted(provider.errors)
        assert set(descriptions[name]["quirks"]) == {q.name for q in provider.quirks}
    assert "quirk cpg.replay=on" in run("providers", cwd=tmp_path).stdout
    facts = json.loads(run("facts", "coinapi", "--json", cwd=tmp_path).stdout)
    assert {f["status"] for f in facts} == {"documented", "observed", "assumed"}
    assert facts[0]["id"] in run("facts", cwd=tmp_path).stdout
    good = str(fixtures() / "worlds" / "default.yaml")
    assert run("check", good, cwd=tmp_path).stdout == f"{good}: world default is good, 274 rows\n"


def test_the_wheel_serves_the_same_from_an_empty_directory(tmp_path: Path) -> None:
    """Built, installed without the checkout, started where nothing else lies."""
    checkout, installed, empty = Path(__file__).parents[2], tmp_path / "lib", tmp_path / "empty"
    source = tmp_path / "source"
    for name in ("mockserver", "fixtures"):
        shutil.copytree(
            checkout / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(checkout / name, source)
    empty.mkdir()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *built, "--wheel-dir", tmp_path, source], check=True)
    wheel = next(tmp_path.glob("*.whl"))
    subprocess.run([*pip, "install", *built, "--target", installed, wheel], check=True)
    env = {"PYTHONPATH": str(installed)}
    command = [str(installed / "bin" / "mockserver")]
    with serving(cwd=empty, env=env, command=command) as (_, summary):
        assert list(summary["providers"]) == list(discover())
        for provider in summary["providers"].values():
            words = provider["example"].split()
            line = " ".join(command + words[words.index("curl") :])
            assert shell(line, empty, CLEAN | env)[0] == 0
    where = (
        "import mockserver, mockserver.files.lookup as f; print(mockserver.__file__, f.fixtures())"
    )
    paths = subprocess.check_output(
        [sys.executable, "-c", where], env=CLEAN | env, cwd=empty, text=True
    )
    assert all(path.startswith(str(installed)) for path in paths.split())
