"""A provider is a folder: the one that ``providers/README.md`` grows works at every step."""

import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import requests
import yaml

from benchmarks import bench, signed
from contract_tests.support.evidence import (
    DOCUMENT,
    EXAMPLES,
    TREE,
    WORLD,
    complaint,
    having,
    incomplete,
)
from contract_tests.support.provider_readme import BLOCKS, GUIDE, follow, forget
from contract_tests.support.raw import exchange
from mockserver import MockServer, providers
from mockserver.cli.main import main
from mockserver.errors import FileError
from mockserver.files import lookup as files
from mockserver.files import strict_yaml

OTHERS = tuple(having(WORLD))


def test_the_guide_can_be_followed_step_by_step(folder: Path) -> None:
    session: dict[str, Any] = {}
    for _, block in BLOCKS:
        follow(folder, block, session)
    assert sum(not block.startswith("# ") for _, block in BLOCKS) == 4


def test_the_guides_provider_passes_the_linter_but_for_types_and_docstrings(folder: Path) -> None:
    pytest.importorskip("ruff")
    for _, block in BLOCKS:
        if block.startswith("# "):
            follow(folder, block)
    settings = ["--config", str(TREE / "pyproject.toml"), "thimble"]
    settings += ["--config", 'lint.isort.known-first-party = ["mockserver"]']
    for command in (["check", "--ignore", "ANN,D1"], ["format", "--check"]):
        words = [sys.executable, "-m", "ruff", *command, "--no-cache", *settings]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_what_the_guide_names_is_there() -> None:
    for name in re.findall(r"`(mockserver(?:\.\w+)+)`", GUIDE):
        assert pkgutil.resolve_name(name)


# Through the other doors


@pytest.fixture
def grown(folder: Path) -> Path:
    """The folder after the guide's first two files: nothing else is written."""
    for _, block in BLOCKS[:2]:
        follow(folder, block)
    forget()
    return folder


def test_a_sixth_provider_leaves_the_others_as_they_were(grown: Path) -> None:
    with MockServer("thimble.yaml") as server:
        below = requests.get(server.url + "/thimble/nope", timeout=30)
        assert (below.status_code, below.json()) == (404, {"oops": "no such page"})
        assert requests.get(server.cpg.base_url + "/v1/balances", timeout=30).status_code == 401


def ask_main(handle: Any) -> requests.Response:
    """Sends a provider's main read, signed."""
    example = handle.example
    url = f"{handle.base_url}{example.path.decode()}?{example.query.decode()}"
    return requests.request(example.method, url, data=example.body, auth=handle.auth, timeout=30)


def wallet(handle: Any, **options: Any) -> requests.Response:
    return requests.get(handle.base_url + "/wallet", timeout=30, **options)


def test_sandboxes_with_a_sixth_provider_have_keys_of_their_own(grown: Path) -> None:
    world = strict_yaml.load(files.find("worlds", "default").read_text("utf-8"))
    world |= strict_yaml.load((grown / "thimble.yaml").read_text())
    (grown / "six.yaml").write_text(yaml.safe_dump(world))
    with MockServer("six.yaml") as server:
        first, second = server.sandbox(), server.sandbox()
        tokens = [s.thimble.credentials["token"] for s in (server, first, second)]
        assert tokens[0] == "a-fake-token"
        assert len({*tokens}) == 3
        for sandbox in (first, second):
            assert wallet(sandbox.thimble, auth=sandbox.thimble.auth).json() == {"GOLD": "1.50"}
            for token in {*tokens} - {sandbox.thimble.credentials["token"]}:
                assert wallet(sandbox.thimble, headers={"X-Token": token}).status_code == 401
            for name in OTHERS:
                handle = getattr(sandbox, name)
                assert getattr(server, name).credentials != handle.credentials
                assert ask_main(handle).status_code == 200, name
        first.reset()
        assert wallet(first.thimble, auth=first.thimble.auth).ok


# Where a client may put the key
PLACES: list[Callable[[str], dict[str, Any]]] = [
    lambda key: {"headers": {"X-Token": key}},
    lambda key: {"headers": {"X-Note": f"my key is {key}"}},
    lambda key: {"params": {"q": key}},
    lambda key: {"data": key.encode()},
    lambda key: {"json": {"q": key}},
]


def test_a_sixth_providers_key_is_not_in_the_journal(grown: Path) -> None:
    with MockServer("thimble.yaml") as server:
        for sandbox in (server, server.sandbox()):
            key = sandbox.thimble.credentials["token"]
            for place in PLACES:
                wallet(sandbox.thimble, **place(key))
            journal = requests.get(
                f"{server.url}/__admin/sandboxes/{sandbox.id}/requests", timeout=30
            ).text
            assert journal.count('"provider":"thimble"') == len(PLACES)
            assert key not in journal
            assert key not in repr(sandbox.journal)


PROJECT = """
import pytest
import requests

seen = []

@pytest.mark.parametrize("turn", [1, 2])
def test_wallet(sandbox, turn):
    url, auth = sandbox.thimble.base_url + "/wallet", sandbox.thimble.auth
    assert requests.get(url, auth=auth).json() == {"GOLD": "1.50"}
    assert sandbox.journal[-1].credential == "main"
    seen.append(sandbox.thimble.credentials["token"])
    assert seen[-1] not in repr(sandbox.journal)
    assert len({*seen}) == turn
"""


def test_the_plugin_serves_a_sixth_provider(grown: Path) -> None:
    found = "from mockserver import providers\nproviders.__path__.append({!r})\n"
    (grown / "conftest.py").write_text(found.format(str(grown)))
    (grown / "test_wallet.py").write_text(PROJECT)
    command = [sys.executable, "-m", "pytest", "-q", "--mockserver-world", "thimble.yaml"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout


REFUSING = """
def __post_init__(self):
    if not self.token.startswith(("a-fake", "reject")):
        raise ValueError("a token that is not the one")
"""


def test_a_key_that_cannot_be_renewed_is_one_clear_line(grown: Path) -> None:
    file = grown / "thimble/provider.py"
    member = "    token: str\n    account: str\n"
    file.write_text(file.read_text().replace(member, member + indent(REFUSING, "    ")))
    with MockServer("thimble.yaml") as server:
        made = requests.post(server.url + "/__admin/sandboxes", json={}, timeout=30)
    assert made.status_code == 500
    assert made.json() == {
        "error": "no new keys for thimble: a token that is not the one",
        "at": "$.world",
        "hint": "give the provider's credential a regenerate(entropy) of its own",
    }


CHECKED = """
def __post_init__(self):
    check_encoded(self, "token", "{}")
"""
IMPORT = "from mockserver.model.encoded import check_encoded\n"


@pytest.mark.parametrize(
    ("encoding", "token", "good"),
    [
        ("base64", "YS1mYWtlLXRva2Vu", True),
        ("base64", "YS1mYWtlLXRva2VuIQ==", True),
        ("base64", "abc", False),
        ("base64", "YS1mYWtlLXRva2VuIR==", False),  # not what an encoder writes
        ("base64", "YS1mYWtlLXRva2VuIQ==!", False),
        ("hex", "00ff", True),
        ("hex", "00f", False),
    ],
)
def test_a_secret_that_cannot_be_decoded_is_found_when_the_world_is_read(
    grown: Path, encoding: str, token: str, good: bool
) -> None:
    file, world = grown / "thimble/provider.py", grown / "thimble.yaml"
    member = "    token: str\n    account: str\n"
    checked = member + indent(CHECKED.format(encoding), "    ")
    text = file.read_text().replace(member, checked)
    file.write_text(
        text.replace("from mockserver.model.http", IMPORT + "from mockserver.model.http")
    )
    world.write_text(world.read_text().replace("a-fake-token", token))
    if good:
        with MockServer("thimble.yaml") as server:
            assert wallet(server.thimble, auth=server.thimble.auth).ok
            assert wallet((box := server.sandbox()).thimble, auth=box.thimble.auth).ok
        return
    with pytest.raises(FileError) as caught:
        MockServer("thimble.yaml")
    wrong = f"thimble.yaml:3: $.thimble.keys.main.token: token is not {encoding}"
    assert str(caught.value) == wrong


# What needs more than a provider.py


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("certify --provider thimble --list", "there is no check for clients of thimble: there are for cdp, coinapi, coinstats, coinw, cpg"),
        ("certify --provider thimble -- true", "there is no check for clients of thimble: there are for cdp, coinapi, coinstats, coinw, cpg"),
        ("curl thimble", "the world default has no keys of thimble: give another --world"),
    ],
)  # fmt: skip
def test_what_a_command_lacks_for_a_sixth_provider_is_one_line(
    grown: Path, capsys: pytest.CaptureFixture[str], words: str, line: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err) == (2, "", f"mockserver: {line}\n")


def test_the_suite_says_what_a_sixth_provider_lacks_and_goes_on_without_it(grown: Path) -> None:
    assert "thimble" in incomplete()
    for path in (DOCUMENT, EXAMPLES, WORLD):
        assert having(path)
        assert "thimble" not in having(path)
    assert complaint("thimble", EXAMPLES) == (
        "providers/thimble: add fixtures/thimble/examples.yaml: documented answers, digit for digit"
    )
    assert complaint("thimble", WORLD) == (
        "providers/thimble: add to fixtures/worlds/default.yaml: a section with the key main"
    )


# In the bench


def test_the_bench_says_what_a_sixth_provider_lacks(grown: Path) -> None:
    assert bench.unprepared(["cpg"]) == ""
    assert bench.unprepared(["cpg", "thimble"]) == (
        "thimble: add its section, with a key main, to fixtures/worlds/default.yaml"
    )


def test_the_bench_sends_growing_nonces_where_a_provider_wants_them(folder: Path) -> None:
    for _, block in BLOCKS:
        if block.startswith("# "):
            follow(folder, block)
    forget()
    with MockServer("thimble.yaml", limits="off") as server:
        sandbox, thimble = server.app.sandboxes.default, providers.discover()["thimble"]
        assert signed.is_growing(thimble)
        prepared = signed.prepare(folder / "requests", sandbox, thimble, 3)
        sent = (folder / "requests").read_bytes()
        parts = [sent[at : at + prepared.size] for at in range(0, len(sent), prepared.size)]
        answers = [exchange(server.thimble.base_url, part) for part in (*parts, parts[0])]
    assert (prepared.distinct, len(parts)) == (True, 3)
    assert [answer.split()[1] for answer in answers] == [b"200", b"200", b"200", b"409"]


@pytest.mark.parametrize(("name", "distinct"), [("cdp", False), ("coinapi", False), ("coinstats", False), ("coinw", True), ("cpg", True)])  # fmt: skip
def test_the_bench_signs_each_request_where_a_signature_is_good_once_or_a_parameter(
    server: MockServer, tmp_path: Path, name: str, distinct: bool
) -> None:
    provider, sandbox = providers.discover()[name], server.app.sandboxes.default
    assert not signed.is_growing(provider)
    assert signed.prepare(tmp_path / "requests", sandbox, provider, 3).distinct is distinct
