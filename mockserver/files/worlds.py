"""World files: the seed data of a sandbox, with a section that each provider parses.

Of an error, ``model/typed_data`` finds the path in the data, ``strict_yaml.located`` the line, and
``lookup.read_file`` adds the file.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mockserver.engine.world import ProviderWorld, World, build
from mockserver.errors import DataError, SettingError
from mockserver.faults.scenario import ScenarioSpec
from mockserver.files import lookup as files
from mockserver.files import strict_yaml
from mockserver.model import suggestions
from mockserver.model.provider import Provider
from mockserver.model.typed_data import at, convert
from mockserver.providers import discover

FOLDER = "worlds"
SCENARIO_MEMBERS = {*ScenarioSpec.__struct_fields__}


def shipped() -> list[str]:
    """Returns the names of the shipped worlds."""
    return files.shipped(FOLDER)


def find(name: str) -> Path:
    """Returns the file for a shipped world's name or a path; raises FileError."""
    return files.find(FOLDER, name)


def about(name: str) -> str:
    """Returns the comment in a world file's first line."""
    with find(name).open(encoding="utf-8") as file:
        return file.readline().strip().lstrip("# ")


def load(name: str, providers: Mapping[str, Provider] | None = None) -> World:
    """Loads a world by name or path; raises FileError."""
    path = find(name)
    world: World = files.read_file(path, lambda text: read(text, path.stem, providers))
    return world


def resolve(world: str | Path | Mapping[str, Any] | World) -> World:
    """Returns a world given by name, path or data; raises SettingError, its kind FileError."""
    if isinstance(world, World):
        return world
    if isinstance(world, str | Path):
        return load(str(world))
    if isinstance(world, Mapping):
        return from_data(dict(world), "inline")
    raise SettingError(
        f"a world is the name of a shipped one, a path or a mapping, not {type(world).__name__}"
    )


def data(path: Path) -> Any:
    """Returns the data of a world file without parsing its sections; raises FileError."""
    return files.read_file(path, strict_yaml.load)


def read(text: str, name: str, providers: Mapping[str, Provider] | None = None) -> World:
    """Parses a world from YAML; raises DataError with the line."""
    with strict_yaml.located(text):
        return from_data(strict_yaml.load(text), name, providers)


def from_data(data: Any, name: str, providers: Mapping[str, Provider] | None = None) -> World:
    """Parses a world from plain data; raises DataError."""
    providers = discover() if providers is None else providers
    if not isinstance(data, dict):
        raise DataError("a world is a mapping: name, and a section for each provider")
    world_name = data.get("name", name)
    if not isinstance(world_name, str):
        raise DataError("name is text", ("name",))
    unknown = [str(key) for key in data if key != "name" and key not in providers]
    if unknown and unknown[0] in SCENARIO_MEMBERS:
        message = f"{unknown[0]} makes this a scenario, not a world: play it with --scenario"
        raise DataError(message, (unknown[0],))
    if unknown:
        message = suggestions.unknown("provider", unknown[0], providers)
        raise DataError(message, (unknown[0],))
    sections = {key: _section(p, data.get(key, {})) for key, p in providers.items()}
    return World(world_name, sections)


def _section(provider: Provider, data: Any) -> ProviderWorld:
    with at(provider.name):
        return build(provider, convert(data, provider.section))


@cache
def load_shipped(name: str) -> World:
    """Loads a shipped world once; each user of it derives keys of its own."""
    return load(name)
