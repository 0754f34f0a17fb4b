"""World files: the seed data of a sandbox, with a section that each provider parses."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mockserver.engine.world import ProviderWorld, World, build
from mockserver.files import lookup as files
from mockserver.files import strict_yaml
from mockserver.files.strict_yaml import LocatedError
from mockserver.model import suggestions
from mockserver.model.provider import Provider
from mockserver.providers import discover

FOLDER = "worlds"


def shipped() -> list[str]:
    """Returns the names of the shipped worlds."""
    return files.shipped(FOLDER)


def find(name: str) -> Path:
    """Returns the file for a shipped world's name or a path; raises FileError."""
    return files.find(FOLDER, name)


def load(name: str, providers: Mapping[str, Provider] | None = None) -> World:
    """Loads a world by name or path; raises FileError."""
    path = find(name)
    world: World = files.read_file(path, lambda text: read(text, path.stem, providers))
    return world


def data(path: Path) -> Any:
    """Returns the data of a world file without parsing its sections; raises FileError."""
    return files.read_file(path, strict_yaml.load)


def read(text: str, name: str, providers: Mapping[str, Provider] | None = None) -> World:
    """Parses a world from YAML; raises LocatedError."""
    return _world(text, strict_yaml.load(text), name, providers)


def from_data(data: Any, name: str) -> World:
    """Parses a world from plain data; raises LocatedError, with a path but no useful line."""
    return _world("", data, name, None)


@cache
def load_shipped(name: str) -> World:
    """Loads a shipped world once; each user of it derives keys of its own."""
    return load(name)


def _world(text: str, data: Any, name: str, providers: Mapping[str, Provider] | None) -> World:
    providers = discover() if providers is None else providers
    if not isinstance(data, dict):
        raise LocatedError(1, "$", "a world is a mapping: name, and a section for each provider")
    world_name = data.get("name", name)
    if not isinstance(world_name, str):
        raise strict_yaml.located_error(text, ("name",), "name is text")
    unknown = [key for key in data if key != "name" and key not in providers]
    if unknown:
        message = suggestions.unknown("provider", str(unknown[0]), providers)
        raise strict_yaml.located_error(text, (unknown[0],), message)
    sections = {key: _section(text, p, data.get(key, {})) for key, p in providers.items()}
    return World(world_name, sections)


def _section(text: str, provider: Provider, data: Any) -> ProviderWorld:
    section = strict_yaml.convert(text, data, (provider.name,), provider.section)
    try:
        return build(provider, section)
    except ValueError as error:
        raise strict_yaml.located_error(text, (provider.name,), str(error)) from None
