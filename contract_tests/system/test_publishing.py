"""What is published: the distributions, and the schemas as another validator reads them."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from contract_tests.support.tools import find_tool

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "fixtures/schemas"
WRONG = yaml.safe_load((ROOT / "contract_tests/files/wrong_files.yaml").read_text("utf-8"))


def check_jsonschema(kind: str, *files: Path) -> dict[str, object]:
    tool = find_tool("check-jsonschema", str(Path(sys.prefix) / "bin/check-jsonschema"))
    schema = ["--schemafile", str(SCHEMAS / f"{kind}.schema.json"), "--output-format", "json"]
    done = subprocess.run(
        [tool, *schema, *map(str, files)], capture_output=True, text=True, timeout=120, check=False
    )
    result: dict[str, object] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("kind", ["world", "scenario"])
def test_check_jsonschema_passes_the_shipped_files(kind: str) -> None:
    result = check_jsonschema(kind, *(ROOT / f"fixtures/{kind}s").glob("*.yaml"))
    assert result["status"] == "ok", result


@pytest.mark.parametrize("kind", WRONG)
def test_check_jsonschema_refuses_each_wrong_file(kind: str, tmp_path: Path) -> None:
    files = {}
    for name, data in WRONG[kind].items():
        path = tmp_path / f"{name.replace(' ', '-')}.json"
        path.write_text(json.dumps(data))
        files[str(path)] = name
    result = check_jsonschema(kind, *map(Path, files))
    refused = {error["filename"] for error in result["errors"]}
    assert {files[path] for path in files if path not in refused} == set()


def test_links_on_an_index_page_lead_to_the_source_or_nowhere() -> None:
    namespace = runpy.run_path(str(ROOT / "hatch_build.py"))
    text = (ROOT / "README.md").read_text("utf-8")
    relative = re.compile(r"\]\((?!https?:|#)")
    assert relative.search(text)
    for source in (None, "https://example.com/owner/repository"):
        assert not relative.search(namespace["for_index"](text, source))


def test_the_distributions_pass_twine(tmp_path: Path) -> None:
    tool = find_tool("twine", str(Path(sys.prefix) / "bin/twine"))
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=300)
    built = sorted(map(str, tmp_path.iterdir()))
    assert len(built) == 2, built
    done = subprocess.run(
        [tool, "check", "--strict", *built], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
