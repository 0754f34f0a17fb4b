"""A server as a service: health, a bounded stop, a socket file, SIGHUP, secrets in files, trust."""

import json
import os
import pty
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest
import requests

from contract_tests.cli.conftest import Command
from contract_tests.clients.senders import DEADLINE
from contract_tests.support.processes import COMMAND, run, serving, shell
from contract_tests.support.raw import get
from contract_tests.support.tls import environment
from mockserver import MockServer, errors


def call(path: str | Path, target: str, method: str = "GET") -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(str(path))
        sock.sendall(get(target, {"Connection": "close"}, method))
        data = b""
        while part := sock.recv(65536):
            data += part
    return data


def test_a_socket_file_serves_the_gateway_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "mock.sock"
    for _ in range(2):
        with MockServer(unix_socket=path) as server:
            assert call(path, "/readyz").endswith(b"ready\n")
            assert b"200 OK" in call(path, "/coinapi/v1/balances?apikey=00000000-EMPTY-KEY")
            assert b'"status"' in call(path, "/__admin/health")
            assert server.journal[-1].status == 200
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            with pytest.raises(errors.PortInUse, match="a server listens there"):
                MockServer(unix_socket=path).start()
        assert not path.exists()
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(path))  # what a server that was killed leaves


@pytest.mark.parametrize("path", ["nowhere/mock.sock", "x" * 200, "file"])
def test_a_path_that_can_be_no_socket_is_one_line(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.SettingError, match=r"--unix-socket .*: "):
        MockServer(unix_socket=tmp_path / path).start()
    with MockServer():
        pass  # nothing stays bound


def test_readiness_ends_with_the_stop() -> None:
    with MockServer() as server:
        url = server.url
        assert requests.get(url + "/readyz", timeout=DEADLINE).text == "ready\n"
        server.app.stopping = True
        assert requests.get(url + "/readyz", timeout=DEADLINE).status_code == 503


@pytest.mark.parametrize(("grace", "whole"), [("20", True), ("0.1", False)])
def test_a_stop_waits_for_responses_within_its_grace(
    grace: str, whole: bool, tmp_path: Path
) -> None:
    with serving("--grace", grace, cwd=tmp_path) as (process, ready):
        rule = {"name": "slow", "deliver": {"dribble": {"bytes": 100, "every": "100ms"}}}
        admin = ready["admin"] + "/sandboxes/default/faults"
        assert requests.post(admin, json=rule, timeout=DEADLINE).status_code == 200
        url = ready["providers"]["coinapi"]["base_url"] + "/v1/balances"
        key = {"X-CoinAPI-Key": "73034021-THIS-IS-SAMPLE-KEY"}
        answer = requests.get(url, headers=key, timeout=DEADLINE, stream=True)
        process.send_signal(signal.SIGTERM)
        if whole:
            assert isinstance(answer.json(), list)
        else:
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                _ = answer.content
        assert process.wait(DEADLINE) == 0


def test_a_server_ends_with_its_terminal(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    command = [*COMMAND, "serve", "--port", "0", "--json"]
    process = subprocess.Popen(
        command, stdin=follower, stdout=subprocess.PIPE, stderr=follower, cwd=tmp_path
    )
    os.close(follower)
    with process:
        assert process.stdout.readline()
        os.close(leader)  # as when a window is closed
        process.send_signal(signal.SIGHUP)
        assert process.wait(DEADLINE) == 0


def test_a_token_in_a_file_guards_the_server_and_opens_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("of-a-file\n")
    env = {"MOCKSERVER_ADMIN_TOKEN_FILE": str(file)}
    with serving("--tls", cwd=tmp_path, env=env) as (_, ready):
        health = ready["admin"] + "/health"
        assert requests.get(health, timeout=DEADLINE).status_code == 401
        headers = {"Authorization": "Bearer of-a-file"}
        assert requests.get(health, headers=headers, timeout=DEADLINE).status_code == 200
        done = run("trust", "--url", ready["gateway"], "--json", cwd=tmp_path, env=env)
        assert json.loads(done.stdout)["SSL_CERT_FILE"] == ready["authority"]


# mockserver trust


def test_trust_sets_up_curl_in_a_shell(tmp_path: Path) -> None:
    with serving("--proxy-port", "0", cwd=tmp_path) as (_, ready):
        trust = f"{' '.join(COMMAND)} trust --url {ready['gateway']}"
        env = environment({})
        plain = f"curl -sS {ready['https']}/healthz"
        assert shell(plain, tmp_path, env)[0] == 60
        fixed = "curl -sS https://global.ems.coinapi.net/v1/balances?apikey=00000000-EMPTY-KEY"
        both = f'eval "$({trust})" && {plain} && {fixed}'
        assert shell(both, tmp_path, env) == (0, "ok\n[]")
        own = f"{trust} --out mine.pem --env | grep SSL_CERT"
        assert shell(own, tmp_path, env)[1] == f"SSL_CERT_FILE={tmp_path}/mine.pem\n"
        assert (tmp_path / "mine.pem").read_text() == Path(ready["authority"]).read_text()


def test_trust_with_a_folder_needs_no_server(command: Command, tmp_path: Path) -> None:
    env = {"MOCKSERVER_CA_DIR": "ca dir", "MOCKSERVER_PROXY_PORT": "8500"}
    variables = json.loads(command("trust", "--json", **env)[1])
    assert variables["NODE_EXTRA_CA_CERTS"] == f"{tmp_path}/ca dir/authority.pem"
    assert variables["HTTPS_PROXY"] == "http://127.0.0.1:8500"
    lines = command("trust", "--proxy", "http://mock:1", **env)[1]
    assert f"export SSL_CERT_FILE='{tmp_path}/ca dir/authority.pem'\n" in lines
    assert "https_proxy=http://mock:1\n" in lines
    env |= {"MOCKSERVER_TLS": "1", "MOCKSERVER_PROXY_PORT": "0"}
    with serving(cwd=tmp_path, env=env) as (_, ready):
        assert ready["authority"] == variables["SSL_CERT_FILE"]
        url = ready["providers"]["cpg"]["https_url"] + "/v1/balances"
        answer = requests.get(url, verify=ready["authority"], timeout=DEADLINE)
        assert answer.status_code == 401


def test_a_taken_port_is_named_with_its_option() -> None:
    running = set(threading.enumerate())
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        for option in ("tls_port", "proxy_port"):
            name = option.replace("_", "-")
            with pytest.raises(errors.PortInUse, match=f"port {port} is in use.*--{name}"):
                MockServer(**{option: port}).start()
    left = set(threading.enumerate()) - running
    assert not any(thread.name == "mockserver" for thread in left)
