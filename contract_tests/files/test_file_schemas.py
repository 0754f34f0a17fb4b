"""The JSON Schemas of world, scenario and configuration files: right files pass, wrong ones fail."""

import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from contract_tests.docs.render_reference import schemas
from mockserver.cli.main import main
from mockserver.cli.schema import KINDS, document
from mockserver.errors import SettingError
from mockserver.files import scenarios, strict_yaml, worlds
from mockserver.providers import discover

ROOT = Path(__file__).parents[2]
WRONG: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "contract_tests/files/wrong_files.yaml").read_text("utf-8")
)
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VALIDATORS = {kind: jsonschema_rs.Draft7Validator(document(kind)) for kind in KINDS}


def test_each_schema_lies_beside_the_shipped_files() -> None:
    for path, text in schemas().items():
        assert path.read_text("utf-8") == text, "run make reference"


def test_the_command_prints_a_schema(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["schema", "world"])
    assert stopped.value.code == 0
    assert "draft-07" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["schema", "wrld"])
    assert stopped.value.code == 2
    assert "did you mean world?" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["world", "scenario"])
def test_shipped_files_pass_and_name_their_schema(kind: str) -> None:
    for path in (ROOT / f"fixtures/{kind}s").glob("*.yaml"):
        text = path.read_text("utf-8")
        VALIDATORS[kind].validate(strict_yaml.load(text))
        line = f"# yaml-language-server: $schema=../schemas/{kind}.schema.json\n"
        assert line in text[:200], path


def test_documented_files_pass() -> None:
    seen = 0
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for text in BLOCK.findall(page.read_text("utf-8")):
            data = strict_yaml.load(text)
            names = data.keys() if isinstance(data, dict) else ()
            kind = "scenario" if "rules" in names else "world" if {*discover()} & {*names} else ""
            if kind:
                VALIDATORS[kind].validate(data)
                seen += 1
    assert seen


def test_the_templates_of_init_pass() -> None:
    templates = ROOT / "mockserver/cli/templates"
    world = strict_yaml.load((templates / "world.yaml.txt").read_text("utf-8"))
    VALIDATORS["world"].validate(world)
    VALIDATORS["config"].validate(tomllib.loads((templates / "mockserver.toml.txt").read_text()))


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in WRONG.items() for name in names]
)
def test_a_wrong_file_is_refused(kind: str, name: str) -> None:
    data = WRONG[kind][name]
    assert not VALIDATORS[kind].is_valid(data)
    read = {"world": lambda d: worlds.from_data(d, "a"), "scenario": scenarios.from_data}
    if kind in read:  # the schema refuses nothing that the reader takes
        with pytest.raises(SettingError):
            read[kind](data)
