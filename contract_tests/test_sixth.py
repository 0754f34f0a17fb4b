"""A provider is a folder: the one that ``providers/README.md`` grows works at every step."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from mockserver import MockServer, providers

GUIDE = Path(providers.__file__).with_name("README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(python|yaml)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder where the guide's files go, and where a provider is found."""
    (tmp_path / "thimble").mkdir()
    (tmp_path / "thimble/__init__.py").write_text("")
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    monkeypatch.undo()
    forget()


def forget() -> None:
    """Lets the provider be imported anew."""
    providers.discover.cache_clear()
    for name in [name for name in sys.modules if ".thimble" in name]:
        del sys.modules[name]


def follow(folder: Path, block: str) -> None:
    """Does what a block says: writes a file, changes one, or runs."""
    first, _, rest = block.partition("\n")
    named = re.fullmatch(r"# (\S+?)(?:: instead of (.*))?", first)
    if named is None:
        forget()
        exec(compile(block, "the guide", "exec"), {})  # what a reader would run
    elif named[2] is None:
        (folder / named[1]).write_text(rest)
    else:
        text = (folder / named[1]).read_text()
        assert text.count(named[2]) == 1, f"{named[2]!r} is not there once"
        (folder / named[1]).write_text(text.replace(named[2], rest.rstrip("\n")))


def test_the_guide_can_be_followed_step_by_step(folder: Path) -> None:
    runs = 0
    for _, block in BLOCKS:
        follow(folder, block)
        runs += not block.startswith("# ")
    assert runs == 3


def test_a_sixth_provider_leaves_the_others_as_they_were(folder: Path) -> None:
    for _, block in BLOCKS[:2]:
        follow(folder, block)
    forget()
    with MockServer("thimble.yaml") as server:
        below = requests.get(server.url + "/thimble/nope", timeout=10)
        assert (below.status_code, below.json()) == (404, {"oops": "no such page"})
        assert requests.get(server.cpg.base_url + "/v1/balances", timeout=10).status_code == 401
