"""The types hold: good lines have no error, and both checkers find every mistake."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from contract_tests.support.tools import missing

HERE, ROOT = Path(__file__).parent / "types", Path(__file__).parents[2]
GOOD, BAD = HERE / "good.py", HERE / "bad.py"
ENOUGH = 40  # lines of each kind
FILES = [str(GOOD), str(BAD)]
NOT_MISTAKES = ("#", '"""', "from ", "def ")
Errors = dict[str, set[int]]


def lines(file: Path) -> dict[int, str]:
    return dict(enumerate(file.read_text(encoding="utf-8").splitlines(), 1))


def mistakes() -> set[int]:
    """The lines of the file of mistakes that have one."""
    written = ((n, line.strip()) for n, line in lines(BAD).items())
    return {n for n, line in written if line and not line.startswith(NOT_MISTAKES)}


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout


def require(module: str) -> None:
    if find_spec(module) is None:
        missing(f"{module} is not installed")


def found_by_mypy() -> Errors:
    options = ("--strict", "--no-incremental", "--no-error-summary", "--hide-error-context")
    require("mypy")
    output = run(sys.executable, "-m", "mypy", *options, "--config-file=", *FILES)
    rows = re.findall(r"^(?:.*/)?(\w+\.py):(\d+): error", output, re.MULTILINE)
    return {name: {int(n) for file, n in rows if file == name} for name in ("good.py", "bad.py")}


def found_by_pyright() -> Errors:
    require("basedpyright")
    options = ("--level=error", "--outputjson", f"--pythonpath={sys.executable}")
    output = run(sys.executable, "-m", "basedpyright", *options, f"--project={HERE}")
    rows = [
        (Path(d["file"]).name, d["range"]["start"]["line"] + 1)
        for d in json.loads(output)["generalDiagnostics"]
        if d["severity"] == "error"
    ]
    return {name: {n for file, n in rows if file == name} for name in ("good.py", "bad.py")}


@pytest.mark.parametrize("checker", [found_by_mypy, found_by_pyright])
def test_a_type_checker_finds_every_mistake_and_no_other(checker: object) -> None:
    assert callable(checker)
    found = checker()
    assert {n: lines(GOOD)[n] for n in found["good.py"]} == {}
    assert {n: lines(BAD)[n] for n in mistakes() - found["bad.py"]} == {}
    assert {n: lines(BAD)[n] for n in found["bad.py"] - mistakes()} == {}


def test_there_are_enough_lines_of_both() -> None:
    good = [line for line in lines(GOOD).values() if "sandbox." in line or "server" in line]
    assert len(good) >= ENOUGH
    assert len(mistakes()) >= ENOUGH
