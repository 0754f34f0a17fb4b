"""The command line in this process, and a server that it started in another."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract_tests.support.processes import serving
from mockserver.cli import main as cli

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command in an empty folder; returns exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mockserver.http.log.set_up", lambda *_: None)  # it is for a process
    for name in [name for name in os.environ if name.startswith("MOCKSERVER_")]:
        monkeypatch.delenv(name)

    def run(*args: str, **variables: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as stopped:
                cli.main(args, prog_name="mockserver")
        out, err = capfd.readouterr()
        return stopped.value.code, out, err

    return run


@pytest.fixture(scope="package")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Serves the default world; returns the JSON that the command printed."""
    with serving(cwd=tmp_path_factory.mktemp("served")) as (_, summary):
        yield summary
