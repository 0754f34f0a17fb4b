"""Scenario files: found, read, and what is wrong in them told in one line."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from mockserver.engine.settings import Settings, changed
from mockserver.faults import scenario
from mockserver.faults.scenario import Scenario
from mockserver.files import lookup as files
from mockserver.files import strict_yaml
from mockserver.providers import discover

FOLDER = "scenarios"
MEMBERS = {*scenario.ScenarioSpec.__struct_fields__} - {"name"}  # that no world has


def shipped() -> list[str]:
    """Returns the names of the shipped scenarios."""
    return files.shipped(FOLDER)


def find(name: str) -> Path:
    """Returns the file of a shipped scenario's name, or of a path; raises BadFile."""
    return files.find(FOLDER, name)


def load(name: str) -> Scenario:
    """Loads a scenario by its name or path; raises BadFile."""
    path = find(name)
    called = _called(path)
    read: Scenario = files.read_file(path, lambda text: _read(text, strict_yaml.load(text), called))
    return read


def data(path: Path) -> Any:
    """Returns the plain data of a scenario file, whose name stands for one that it lacks."""
    found = files.read_file(path, strict_yaml.load)
    return {"name": _called(path)} | found if isinstance(found, dict) else found


def _called(path: Path) -> str:
    """Returns what a file's scenario is called where it does not say so itself."""
    return re.sub(r"[^a-z0-9_.-]+", "-", path.stem.lower()).strip("-_.")[:64] or "scenario"


def resolve(wish: str | Path | Mapping[str, Any] | Scenario | None) -> Scenario | None:
    """Returns what a caller in Python means: a name, a path, plain data or a scenario.

    Raises BadFile, and ValueError for data that is wrong.
    """
    if isinstance(wish, str | Path):
        return load(str(wish))
    if not isinstance(wish, Mapping):
        return wish
    try:
        return from_data(wish)
    except strict_yaml.LocatedError as wrong:
        raise ValueError(f"scenario: {wrong.path}: {wrong.what}") from None


@cache
def load_shipped(name: str) -> Scenario:
    """Loads a shipped scenario, once."""
    return load(name)


def from_data(data: Any) -> Scenario:
    """Reads a scenario given as plain data, where paths tell but lines do not; raises Wrong."""
    return _read("", data, "inline")


def _read(text: str, data: Any, name: str) -> Scenario:
    providers = discover()
    found = scenario.parse(text, data, name, providers)
    settings = Settings()
    for member in ("quirks", "limits"):
        try:
            settings = changed(settings, providers, **{member: getattr(found, member)})
        except ValueError as error:
            raise strict_yaml.located_error(text, (member,), str(error)) from None
    return replace(found, quirks=settings.quirks, limits=settings.limits)
