"""Clients that are generated from the six documents compile, and run against a server."""

import compileall
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from contract_tests.support.tools import find_tool, missing
from mockserver import MockServer
from mockserver.control.endpoint import document
from mockserver.files.documents import openapi_document
from mockserver.providers import discover

SOON = 300  # seconds
HERE = Path(__file__).with_name("typescript")
PROVIDERS = tuple(discover())
COMPILE = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom"]
# CoinAPI's documented media type is misspelled.
CONFIG = "content_type_overrides: {appliction/json: application/json}\n"


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a tool to its end; its output is in the error of a failing test."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the six documents."""
    folder = tmp_path_factory.mktemp("documents")
    written = {"control": document()} | {name: openapi_document(name) for name in PROVIDERS}
    for name, data in written.items():
        (folder / f"{name}.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def modules() -> Path:
    """The Node packages, installed once into this environment from the lock file."""
    npm = find_tool("npm")
    folder = Path(sys.prefix) / "typescript"
    lock = (HERE / "package-lock.json").read_text(encoding="utf-8")
    installed = folder / "installed"
    if not installed.is_file() or installed.read_text(encoding="utf-8") != lock:
        folder.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        run(npm, "ci", "--no-audit", "--no-fund", cwd=folder)
        installed.write_text(lock, encoding="utf-8")
    return folder / "node_modules"


# What the real API does, and the linter recommends otherwise.
TOLERATED = {("coinw", "path-not-include-query")}  # the command in the query is the operation


def test_the_documents_pass_a_linter(documents: Path, modules: Path) -> None:
    find_tool("node")
    shutil.copy(HERE / "lint.mjs", modules.parent)
    files = [documents / f"{name}.json" for name in ("control", *PROVIDERS)]
    done = run("node", modules.parent / "lint.mjs", *[f.name for f in files], cwd=documents)
    problems = [json.loads(line) for line in done.stdout.splitlines()]
    unexpected = [
        row for row in problems if row[1] != "info-license" and (row[0], row[1]) not in TOLERATED
    ]
    assert unexpected == []  # the licence of somebody else's API is not ours to state


@pytest.fixture(scope="module")
def typescript(documents: Path, modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the types of the six documents."""
    find_tool("node")
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(modules)
    shutil.copy(HERE / "package.json", folder)
    for name in ("control", *PROVIDERS):
        generator = modules / ".bin" / "openapi-typescript"
        run(generator, documents / f"{name}.json", "-o", f"{name}.d.ts", cwd=folder)
    return folder


def test_a_typescript_client_of_all_documents_runs(typescript: Path) -> None:
    shutil.copy(HERE / "client.ts", typescript)
    run(typescript / "node_modules/.bin/tsc", *COMPILE, "client.ts", cwd=typescript)
    with MockServer() as server:
        done = run("node", "client.js", cwd=typescript, GATEWAY=server.url)
    assert json.loads(done.stdout) == {
        "cdp": "account_af2937b0-9846-4fe7-bfe9-ccc22d935114",
        "coinapi": "KRAKEN",
        "coinstats": "binance",
        "coinw": "200",
        "cpg": True,
        "event": "key_revoked",
        "count": 5,
        "deleted": 204,
    }


MISTAKES = [
    ('event: "key_revoked"', 'event: "key_revokd"'),
    ('key: "main"', 'label: "main"'),
    ("exactly: 5", 'exactly: "5"'),
    ('{ ttl: "5m" }', '{ tll: "5m" }'),
    ('GET("/v2/accounts")', 'GET("/v2/account")'),
    ("?.exchange_id", "?.exchangeId"),
]


def test_a_mistake_in_a_typescript_client_does_not_compile(typescript: Path) -> None:
    text = (HERE / "client.ts").read_text(encoding="utf-8")
    for n, (good, bad) in enumerate(MISTAKES):
        assert text.count(good) == 1
        (typescript / f"mistake{n}.ts").write_text(text.replace(good, bad), encoding="utf-8")
    files = [f"mistake{n}.ts" for n in range(len(MISTAKES))]
    done = subprocess.run(
        [typescript / "node_modules/.bin/tsc", *COMPILE, "--noEmit", *files],
        cwd=typescript,
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
    )
    assert {line.partition("(")[0] for line in done.stdout.splitlines() if "error" in line} == {
        *files
    }


@pytest.fixture(scope="module")
def python(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder, on the path of imports, with a package for each of the six documents."""
    generator = Path(sys.prefix) / "bin" / "openapi-python-client"
    if not generator.is_file():
        missing("openapi-python-client is not installed")
    folder = tmp_path_factory.mktemp("python")
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    path = f"{generator.parent}:/usr/bin:/bin"
    for name in ("control", *PROVIDERS):
        options = ["--meta", "none", "--config", "config.yaml", "--output-path", f"gen_{name}"]
        file = documents / f"{name}.json"
        done = run(generator, "generate", "--path", file, *options, cwd=folder, PATH=path)
        assert "WARNING" not in done.stdout, done.stdout
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def call(package: str, operation: str, client: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls an operation of a generated client."""
    module = importlib.import_module(f"gen_{package}.api.{operation}")
    return module.sync(*args, client=client, **kwargs)


def test_python_clients_of_all_documents_run(python: Path) -> None:
    assert compileall.compile_dir(python, quiet=1)
    with MockServer() as server, ExitStack() as opened:
        made = importlib.import_module("gen_control").Client(base_url=f"{server.url}/__admin")
        control = opened.enter_context(made)
        models = importlib.import_module("gen_control.models")
        box = call("control", "sandboxes.create_sandbox", control, body=models.SandboxSpec())
        handle = server.sandbox(box.id)

        def client(name: str) -> Any:
            auth = {"auth": getattr(handle, name).auth}
            base_url = getattr(handle, name).base_url
            kind = importlib.import_module(f"gen_{name}").Client
            return opened.enter_context(kind(base_url=base_url, httpx_args=auth))

        accounts = call("cdp", "default.list_accounts", client("cdp")).accounts
        assert accounts[0].account_id.startswith("account_")
        assert call("coinapi", "default.get_balances", client("coinapi"))[0].exchange_id == "KRAKEN"
        exchanges = call("coinstats", "default.get_exchanges", client("coinstats"))
        assert exchanges[0].connection_id == "binance"
        body = importlib.import_module("gen_coinw.models").ReturnBalancesBody()
        holdings = call("coinw", "default.return_balances", client("coinw"), body=body)
        assert holdings.code == "200"
        assert call("cpg", "default.list_balances", client("cpg")).success is True
        event = models.KeyRevoked(event="key_revoked", key="main")
        applied = call("control", "ledger.apply_event", control, box.id, "cpg", body=event)
        assert applied.event == "key_revoked"
        expected = models.Verification(match=models.JournalMatch(status=200), exactly=5)
        counted = call("control", "requests.verify_requests", control, box.id, body=expected)
        assert counted.count == 5
