"""What several system tests install, each once in a session."""

import os
import subprocess
import venv
from pathlib import Path

import pytest

from contract_tests.support.tools import missing

TIME_LIMIT = 300  # seconds, to install


@pytest.fixture(scope="session")
def cdp_sdk_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with CDP's official SDK."""
    given = os.environ.get("CDP_SDK_PYTHON")
    if given:
        return Path(given)
    folder = tmp_path_factory.mktemp("sdk")
    venv.create(folder, with_pip=True)
    interpreter = folder / "bin" / "python"
    install = [interpreter, "-m", "pip", "install", "--quiet", "cdp-sdk"]
    if subprocess.run(install, timeout=TIME_LIMIT, check=False).returncode:
        missing("cdp-sdk cannot be installed")
    return interpreter
