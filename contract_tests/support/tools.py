"""Tools beside Python that system tests need: absent, a test is skipped, and fails where CI=true."""

import os
import shutil
from typing import NoReturn

import pytest

DIRECTORIES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


def find_tool(*names: str) -> str:
    """Returns the path of the first of these commands that is installed."""
    found = [path for name in names if (path := shutil.which(name, path=DIRECTORIES))]
    if not found:
        missing(" or ".join(names) + " is not installed")
    return found[0]


def missing(reason: str) -> NoReturn:
    """Skips the test with the reason; with CI=true, fails it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
