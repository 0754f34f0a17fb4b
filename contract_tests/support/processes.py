"""The command ``mockserver`` as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "mockserver"]
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("MOCKSERVER_")}
SOON = 30  # seconds


@contextmanager
def serving(
    *args: str, cwd: Path, env: dict[str, str] | None = None, command: list[str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Serves on free ports; yields the process and the JSON that it printed."""
    process = subprocess.Popen(
        [*(command or COMMAND), "serve", "--port", "0", "--json", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=CLEAN | (env or {}),
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield process, json.loads(line)
    finally:
        process.kill()
        process.communicate()


def run(
    *args: str, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        [*COMMAND, *args],
        capture_output=True,
        cwd=cwd,
        env=CLEAN | (env or {}),
        text=True,
        timeout=SOON,
        check=False,
    )


def shell(line: str, cwd: Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Runs a line in a shell; returns its exit status and stdout."""
    done = subprocess.run(
        ["sh", "-c", line],
        capture_output=True,
        cwd=cwd,
        env=env or CLEAN,
        text=True,
        timeout=SOON,
        check=False,
    )
    return done.returncode, done.stdout
