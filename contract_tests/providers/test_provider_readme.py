"""A provider is a folder: the one that ``providers/README.md`` grows works at every step."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import requests
import yaml

from contract_tests.support.provider_readme import BLOCKS, follow, forget
from mockserver import MockServer, providers
from mockserver.files import lookup as files
from mockserver.files import strict_yaml

OTHERS = tuple(providers.discover())


def test_the_guide_can_be_followed_step_by_step(folder: Path) -> None:
    runs = 0
    for _, block in BLOCKS:
        follow(folder, block)
        runs += not block.startswith("# ")
    assert runs == 4


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
        "hint": "give the provider's credential a fresh(entropy) of its own",
    }
