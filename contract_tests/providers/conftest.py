"""A folder in which the provider of the guide grows, and a server for the tables of mistakes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract_tests.providers.coinw.mistake_table import TABLE as COINW
from contract_tests.providers.cpg.mistake_table import TABLE as CPG
from contract_tests.support.mistake_table import NOW
from contract_tests.support.provider_readme import forget
from mockserver import HandClock, MockServer, providers


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


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockServer]:
    """A server whose keys have secrets of their own, and whose time stands still."""
    world = tmp_path_factory.mktemp("world") / "mistakes.yaml"
    data = {
        table.provider: {
            "keys": {label: {**key, "account": "main"} for label, key in table.keys.items()},
            "accounts": {"main": {}},
        }
        for table in (CPG, COINW)
    }
    world.write_text(json.dumps(data))
    with MockServer(str(world), limits="off", real=HandClock(NOW * 10**9)) as server:
        yield server
