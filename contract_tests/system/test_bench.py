"""The bench runs, and every answer that it counts is right; its figures are not judged here."""

import json
import subprocess
import sys
from pathlib import Path

from contract_tests.support.tools import find_tool

ROOT = Path(__file__).parents[2]
PARTS = ("coinw", "start")
APPLICATIONS = {"bare", "floor", "ours"}


def test_every_answer_of_a_quick_bench_is_right(tmp_path: Path) -> None:
    find_tool("wrk")
    report = tmp_path / "bench.json"
    only = [word for part in PARTS for word in ("--only", part)]
    command = [sys.executable, "-m", "benchmarks.bench", "--quick", *only, "--json", report]
    ran = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = json.loads(report.read_text())
    runs = [(run["entrant"], run["run"]) for run in figures["runs"]]
    assert {run["void"] for _, run in runs} == {""}
    assert all(run["requests"] > 0 for _, run in runs)
    assert {entrant for entrant, _ in runs} >= APPLICATIONS
    assert figures["starts"]
