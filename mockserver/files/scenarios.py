"""Scenario files: finds, reads and checks them."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from mockserver.engine.settings import Settings, changed
from mockserver.errors import DataError, SettingError
from mockserver.faults import scenario
from mockserver.faults.scenario import Scenario
from mockserver.files import lookup as files
from mockserver.files import strict_yaml
from mockserver.model.typed_data import at
from mockserver.providers import discover

FOLDER = "scenarios"
# Members of a scenario file that a world file does not have.
MEMBERS = {*scenario.ScenarioSpec.__struct_fields__} - {"name"}


def shipped() -> list[str]:
    """Returns the names of the shipped scenarios."""
    return files.shipped(FOLDER)


def find(name: str) -> Path:
    """Returns the file for a shipped scenario's name or a path; raises FileError."""
    return files.find(FOLDER, name)


def load(name: str) -> Scenario:
    """Loads a scenario by name or path; raises FileError."""
    path = find(name)
    default = _default_name(path)
    loaded: Scenario = files.read_file(path, lambda text: _parse(strict_yaml.load(text), default))
    return loaded


def data(path: Path) -> Any:
    """Returns the data of a scenario file, with a name from the file where it has none."""
    content = files.read_file(path, strict_yaml.load)
    return {"name": _default_name(path)} | content if isinstance(content, dict) else content


def _default_name(path: Path) -> str:
    """Returns the name of a scenario whose file does not give one."""
    return re.sub(r"[^a-z0-9_.-]+", "-", path.stem.lower()).strip("-_.")[:64] or "scenario"


def resolve(source: str | Path | Mapping[str, Any] | Scenario | None) -> Scenario | None:
    """Returns the scenario for a name, a path, plain data or a scenario.

    Raises FileError, and SettingError for wrong data.
    """
    if isinstance(source, str | Path):
        return load(str(source))
    if not isinstance(source, Mapping):
        return source
    try:
        return from_data(source)
    except DataError as error:
        raise SettingError(f"scenario: {error}", error.path) from None


@cache
def load_shipped(name: str) -> Scenario:
    """Loads a shipped scenario once."""
    return load(name)


def from_data(data: Any) -> Scenario:
    """Parses a scenario from plain data; raises DataError."""
    return _parse(data, "inline")


def _parse(data: Any, name: str) -> Scenario:
    providers = discover()
    section = next((key for key in providers if isinstance(data, Mapping) and key in data), None)
    if section is not None:
        message = f"{section} makes this a world, not a scenario: serve it with --world"
        raise DataError(message, (section,))
    parsed = scenario.parse(data, name, providers)
    with at():
        settings = changed(Settings(), providers, parsed.quirks, parsed.limits)
    return replace(parsed, quirks=settings.quirks, limits=settings.limits)
