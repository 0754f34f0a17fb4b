"""Counts instructions: a process under valgrind's callgrind marks what is to be counted."""

import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.subject import ROOT

# Two calls that nothing else in the process makes: callgrind knows functions by their names.
begin, end = os.getsid, os.getpgid
CALLGRIND = (
    *("valgrind", "--quiet", "--tool=callgrind", "--read-inline-info=no"),
    *("--zero-before=getsid", "--dump-before=getpgid"),
)


def run(out: Path, *arguments: str) -> None:
    """Runs a Python process, and writes ``out.1``, ``out.2``, ... at each ``end``; may raise."""
    command = (*CALLGRIND, f"--callgrind-out-file={out}", sys.executable, *arguments)
    ran = subprocess.run(command, check=False, cwd=ROOT, env=_settings(), stderr=subprocess.PIPE)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)}: {ran.returncode}, {ran.stderr.decode()}")


def total(dump: Path) -> int:
    """Returns the instructions of one dump."""
    return int(re.search(r"^summary: (\d+)$", dump.read_text(), re.MULTILINE)[1])  # type: ignore[index]


def _settings() -> dict[str, str]:
    """Returns this environment without what would change the counts."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MOCKSERVER_", "PYTHON"))}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
