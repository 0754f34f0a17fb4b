"""The pytest plugin beside the plugins and libraries that projects use with it."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from contract_tests.support.tools import missing

READ = """
def read(sandbox, transport=None):
    with sandbox.cpg.client(transport=transport) as client:
        return client.get("/v1/balances").status_code
"""
FROZEN = """
def test_follows(sandbox):
    assert read(sandbox) == 200
    assert sandbox.journal[0].auth_time.startswith("2026-01-01T")
    assert sandbox.clock.now.year != 2026 or sandbox.clock.now.month != 1
"""
# The module that is needed; options of pytest; a project's tests.
PROJECTS: dict[str, tuple[str, list[str], str]] = {
    "freezegun": (
        "freezegun",
        ["--mockserver-auth-clock=process"],
        "import freezegun\n"
        + FROZEN.replace("def test", "@freezegun.freeze_time('2026-01-01')\ndef test"),
    ),
    "time-machine": (
        "time_machine",
        ["--mockserver-auth-clock=process"],
        "import time_machine\n"
        + FROZEN.replace("def test", "@time_machine.travel('2026-01-01T00:00:00Z')\ndef test"),
    ),
    "--disable-socket": (
        "pytest_socket",
        ["-p", "pytest_socket", "--disable-socket"],
        "def test_it(sandbox, mockserver): assert read(sandbox, mockserver.transport) == 200",
    ),
    "pytest-asyncio": (
        "pytest_asyncio",
        ["-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function"],
        ("import pytest\n@pytest.mark.asyncio\nasync def test_it(sandbox):\n"
        "    async with sandbox.cpg.async_client() as client:\n"
        "        assert (await client.get('/v1/balances')).status_code == 200\n"
        "    await sandbox.asleep(61)"),
    ),
    "anyio": (
        "anyio",
        ["-p", "anyio.pytest_plugin"],
        ("import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
        "@pytest.mark.anyio\nasync def test_it(sandbox):\n"
        "    async with sandbox.cpg.async_client() as client:\n"
        "        assert (await client.get('/v1/balances')).status_code == 200"),
    ),
    "pytest-randomly": (
        "pytest_randomly",
        ["-p", "pytest_randomly"],
        "def test_one(sandbox): assert read(sandbox) == 200\ndef test_two(sandbox): assert read(sandbox) == 200",
    ),
    "pytest-xdist": (
        "xdist",
        ["-p", "xdist", "-n", "2"],
        "def test_one(sandbox): assert read(sandbox) == 200\ndef test_two(sandbox): assert read(sandbox) == 200",
    ),
    "respx": (
        "respx",
        [],
        ("import respx\n@respx.mock\ndef test_it(sandbox):\n"
        "    respx.route(host='127.0.0.1').pass_through()\n    assert read(sandbox) == 200"),
    ),
    "responses": (
        "responses",
        [],
        ("import requests, responses\n@responses.activate\ndef test_it(sandbox):\n"
        "    responses.add_passthru('http://127.0.0.1')\n    cpg = sandbox.cpg\n"
        "    assert requests.get(cpg.base_url + '/v1/balances', auth=cpg.auth, timeout=30).ok"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("module", "options", "tests"), PROJECTS.values(), ids=PROJECTS)
def test_the_fixtures_work_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, options: list[str], tests: str
) -> None:
    if find_spec(module) is None:
        missing(f"{module} is not installed")
    (tmp_path / "test_project.py").write_text(tests + "\n" + READ, encoding="utf-8")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    plugin = ["-p", "mockserver.client.pytest_plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plugin, *options]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
