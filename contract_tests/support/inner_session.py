"""Sessions of pytest inside this process, for projects that ``pytester`` writes.

``pytester`` unloads all modules that such a session has imported. Imported again by a later
test, a library has a second set of classes, which what stayed loaded does not know: httpx no
longer recognises the exceptions of httpcore. So they are loaded again here, as the same objects.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from contract_tests.support.projects import SETTINGS, Run

pytest_plugins = ["pytester"]


class ModuleRecorder:
    """A plugin for inner sessions; it records the modules that are loaded when one ends."""

    def __init__(self) -> None:
        self.modules: dict[str, ModuleType] = {}
        self.project = Path()

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        self.modules |= sys.modules
        self.project = config.rootpath

    def load_again(self) -> None:
        """Puts the modules back into ``sys.modules``, except those of the project."""
        for name, module in self.modules.items():
            file = getattr(module, "__file__", None)
            if file is None or self.project not in Path(file).parents:
                sys.modules.setdefault(name, module)


@pytest.fixture
def module_recorder() -> Iterator[ModuleRecorder]:
    """Loads modules again after ``pytester`` has unloaded them: it must be set up before that."""
    recorder = ModuleRecorder()
    yield recorder
    recorder.load_again()


@pytest.fixture
def run_in_process(module_recorder: ModuleRecorder, pytester: pytest.Pytester) -> Run:
    """Runs the tests of a project in this process."""

    def run(*args: str) -> pytest.RunResult:
        result = pytester.runpytest_inprocess(*args, plugins=[module_recorder])
        module_recorder.load_again()
        return result

    return run


# Projects that use the plugin

INI = """
[pytest]
addopts = -p no:cacheprovider --strict-markers
filterwarnings = error
"""


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes variables that the shell may have set."""
    for name in SETTINGS:
        monkeypatch.delenv(f"MOCKSERVER_{name}", raising=False)


@pytest.fixture
def run(
    run_in_process: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, unset: None
) -> Run:
    """Runs a project's tests: one module or several; in this process or ``apart``."""
    pytester.makeini(INI)

    def run(code: str, *args: str, apart: bool = False, **modules: str) -> pytest.RunResult:
        pytester.makepyfile(**(modules or {"test_project": code}))
        if not apart:
            return run_in_process(*args)
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others' take seconds
        return pytester.runpytest_subprocess(*args)

    return run
