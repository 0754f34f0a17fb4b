"""What the machine must have for this lane; the other files say what they do with it."""

import subprocess

import pytest

from contract_tests.support.tools import find_tool


@pytest.mark.parametrize("names", [("chromium", "chromium-browser"), ("haproxy",), ("npm",)])
def test_a_tool_runs(names: tuple[str, ...]) -> None:
    flag = "-v" if names == ("haproxy",) else "--version"
    subprocess.run([find_tool(*names), flag], check=True, capture_output=True, timeout=60)
