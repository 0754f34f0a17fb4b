"""Servers whose time stands still, and a folder in which the provider of the guide grows."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("contract_tests.support.request_rows")

from contract_tests.providers.coinw.mistake_table import TABLE as COINW  # noqa: E402
from contract_tests.providers.cpg.mistake_table import TABLE as CPG  # noqa: E402
from contract_tests.support.provider_readme import forget  # noqa: E402
from contract_tests.support.request_rows import CLOCK, NOW  # noqa: E402
from mockserver import HandClock, MockServer, providers  # noqa: E402
from mockserver.engine.sandboxes import DEFAULT  # noqa: E402


@pytest.fixture(scope="module")
def running_still() -> Iterator[MockServer]:
    with MockServer(real=CLOCK) as server:
        yield server


@pytest.fixture
def still(running_still: MockServer) -> MockServer:
    """The module's server, as new; its real time is NOW and passes by ``CLOCK.advance`` alone."""
    CLOCK.now = NOW * 10**9
    for sandbox in running_still.app.sandboxes:
        if sandbox.id != DEFAULT:
            running_still.app.sandboxes.drop(sandbox.id)
    running_still.reset()
    return running_still


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


@pytest.fixture
def no_failed_explanation(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Checks that no explanation raised an error."""
    yield
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
