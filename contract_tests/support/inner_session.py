"""Sessions of pytest inside this process, for projects that ``pytester`` writes.

``pytester`` unloads all modules that such a session has imported. Imported again by a later
test, a library has a second set of classes, which what stayed loaded does not know: httpx no
longer recognises the exceptions of httpcore. So they are loaded again here, as the same objects.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

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
def run_in_process(
    module_recorder: ModuleRecorder, pytester: pytest.Pytester
) -> Callable[..., pytest.RunResult]:
    """Runs the tests of a project in this process."""

    def run(*args: str) -> pytest.RunResult:
        result = pytester.runpytest_inprocess(*args, plugins=[module_recorder])
        module_recorder.load_again()
        return result

    return run
