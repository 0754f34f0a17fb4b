"""A folder in which the provider of the guide grows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract_tests.support.provider_readme import forget
from mockserver import providers


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
