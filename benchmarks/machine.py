"""What the figures were measured on and with."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("uvicorn", "uvloop", "httptools", "starlette", "msgspec", "cryptography")


def described() -> list[str]:
    """Returns date, machine and versions, as lines."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    kernel, load = platform.release(), os.getloadavg()[0]
    return [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load {load:.2f} before the start",
        f"{_processor()}, {os.cpu_count()} cores, Linux {kernel}",
        f"CPython {platform.python_version()}, {packages}, {_wrk()}",
    ]


def summary() -> str:
    """Returns date, processor and interpreter, in one line."""
    return f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, CPython {platform.python_version()}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def _wrk() -> str:
    said = subprocess.run(["wrk", "-v"], check=False, capture_output=True, text=True).stdout
    return " ".join(said.split()[:2])
