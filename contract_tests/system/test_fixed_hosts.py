"""Clients with fixed https:// hosts, on a network that has nothing but loopback.

The official SDKs of CDP are used as they are installed: variables alone lead them here.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contract_tests.support.tools import find_tool, missing

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
NODE = HERE / "node"
SOON = 300  # seconds
UP = 'ip link set lo up && exec "$0" "$@"'


def alone(*command: str | Path, stdin: str | None = None) -> str:
    """Runs a command where there is no network but loopback; returns its stdout."""
    unshare = find_tool("unshare")
    if subprocess.run([unshare, "--net", "true"], capture_output=True, check=False).returncode:
        missing("network namespaces are not allowed here")
    words = [unshare, "--net", "sh", "-c", UP, *map(str, command)]
    done = subprocess.run(
        words, input=stdin, capture_output=True, text=True, timeout=SOON, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our scripts and the Node packages of the lock file."""
    folder = tmp_path_factory.mktemp("node")
    for file in NODE.iterdir():
        shutil.copy(file, folder)
    command = [find_tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=SOON, check=False
    )
    if done.returncode:
        missing("npm ci: " + done.stderr[-500:])
    return folder


@pytest.fixture(scope="module")
def met(cdp_sdk_python: Path, node_folder: Path) -> dict[str, Any]:
    """What each client said, beside one server in one namespace."""
    node, url = find_tool("node"), "https://global.ems.coinapi.net/v1/balances"
    commands = {
        "python sdk": [str(cdp_sdk_python), str(HERE / "sdk.py")],
        "typescript sdk": [node, str(node_folder / "sdk.mjs")],
        "undici": [node, str(node_folder / "fetch.mjs")],
        "curl": [find_tool("curl"), "-qsS", f"{url}?apikey=00000000-EMPTY-KEY"],
        "beyond": [find_tool("curl"), "-qsS", "https://example.com/"],
        "unproxied": [find_tool("curl"), "-qsS", "--noproxy", "*", url],
    }
    results: dict[str, Any] = json.loads(
        alone(sys.executable, HERE / "alone.py", stdin=json.dumps(commands))
    )
    return results


SDKS = ["python sdk", "typescript sdk"]


@pytest.mark.parametrize("sdk", SDKS)
def test_an_official_sdk_reads_balances_by_variables_alone(met: dict[str, Any], sdk: str) -> None:
    status, out, err = met[sdk]
    assert status == 0, err
    assert json.loads(out.splitlines()[-1]) == ["btc", "usd", "usdc"]
    reads = [status for provider, _, status in met["journal"] if provider == "cdp"]
    assert reads == [200, 200]


def test_nodes_fetch_and_curl_do_so_too(met: dict[str, Any]) -> None:
    assert met["curl"][:2] == [0, "[]"]
    assert json.loads(met["undici"][1]) == {"status": 200, "body": []}


def test_nothing_reaches_beyond_this_machine(met: dict[str, Any]) -> None:
    status, _, words = met["beyond"]
    assert (status, "response 403" in words) == (56, True)
    assert met["unproxied"][0] == 6  # no name is resolved


def test_the_tests_of_tls_and_the_proxy_pass_with_loopback_alone() -> None:
    files = ["contract_tests/http/test_tls.py", "contract_tests/cli/test_service.py"]
    os.environ.pop("PYTEST_ADDOPTS", None)
    out = alone(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files)
    assert " passed" in out.splitlines()[-1]
    assert "failed" not in out.splitlines()[-1]
