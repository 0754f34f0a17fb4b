"""Runs the socket tests in environments of their own: ``python -m contract_tests.compat oldest``.

The sets ``oldest`` and ``newest`` are pinned by hash; ``latest`` is what the registry has today.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
NAMES = (
    "http/test_requests",
    "http/test_connections",
    "http/test_protocol",
    "http/test_asgi",
    "faults/deliveries/test_bytes",
    "faults/deliveries/test_endings",
    "faults/deliveries/test_times",
    "cli/test_imports_of_a_start",
)
TESTS = [f"contract_tests/{name}.py" for name in NAMES]
BUILD = ROOT / "requirements-build.lock"
UNDER_TEST = ("uvicorn", "starlette", "httptools", "msgspec")
# Of Starlette's TestClient in old versions, with a new anyio.
WARNINGS = ["-W", "ignore::DeprecationWarning"]


def main() -> int:
    """Runs the tests with each set and Python; returns 1 when any fail."""
    parser = argparse.ArgumentParser(prog="python -m contract_tests.compat", description=__doc__)
    parser.add_argument("sets", nargs="+", choices=["oldest", "newest", "latest"])
    parser.add_argument("--python", action="append", help="an interpreter; may be repeated")
    options = parser.parse_args()
    failed = [
        f"{name} on {python}"
        for python in options.python or [sys.executable]
        for name in options.sets
        if not _passes(name, python)
    ]
    print(f"failed: {', '.join(failed)}" if failed else "compat: all passed")
    return bool(failed)


def _passes(name: str, python: str) -> bool:
    """Runs the tests with one set and one Python, in their environment."""
    version = _output(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    folder = ROOT / f".venv-compat-{name}" / version
    own = str(folder / "bin" / "python")
    if not Path(own).exists():
        subprocess.run([python, "-m", "venv", folder], check=True)
    if not _is_current(name, folder):
        _install(name, own)
        (folder / "installed").touch()
    shown = "import importlib.metadata as m, sys; print(*[f'{n} {m.version(n)}' for n in sys.argv[1:]], sep=', ')"
    print(f"{name}, Python {version}: {_output(own, '-c', shown, *UNDER_TEST)}", flush=True)
    command = [own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *WARNINGS, *TESTS]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def _is_current(name: str, folder: Path) -> bool:
    """Returns whether an environment has what its set asks for; ``latest`` never has."""
    stamp = folder / "installed"
    needed = [HERE / f"{name}.txt", BUILD, ROOT / "pyproject.toml"]
    return stamp.exists() and all(
        file.exists() and file.stat().st_mtime < stamp.stat().st_mtime for file in needed
    )


def _install(name: str, python: str) -> None:
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    if name == "latest":
        subprocess.run([*pip, "--upgrade", "-r", HERE / "tests.in", ROOT], check=True)
        subprocess.run([*pip, "--require-hashes", "-r", BUILD], check=True)
    else:
        pinned = ["-r", HERE / f"{name}.txt", "-r", BUILD]
        subprocess.run([*pip, "--require-hashes", *pinned], check=True)
    ours = ["--no-deps", "--no-build-isolation", "--no-index", "--editable", ROOT]
    subprocess.run([*pip, *ours], check=True)


def _output(*command: str) -> str:
    return subprocess.check_output(command, text=True).strip()


if __name__ == "__main__":
    sys.exit(main())
