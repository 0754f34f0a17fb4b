"""World files: found, read, typed by each provider, and every mistake told in one line."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mockserver.engine.world import ProviderWorld, World, build
from mockserver.files import lookup as files
from mockserver.files import strict_yaml
from mockserver.files.strict_yaml import LocatedError
from mockserver.model import names
from mockserver.model.provider import Provider
from mockserver.providers import discover

FOLDER = "worlds"


def shipped() -> list[str]:
    """Returns the names of the shipped worlds."""
    return files.shipped(FOLDER)


def find(name: str) -> Path:
    """Returns the file of a shipped world's name, or of a path; raises BadFile."""
    return files.find(FOLDER, name)


def load(name: str, providers: Mapping[str, Provider] | None = None) -> World:
    """Loads a world by its name or path; raises BadFile."""
    path = find(name)
    world: World = files.read_file(path, lambda text: read(text, path.stem, providers))
    return world


def data(path: Path) -> Any:
    """Returns the plain data of a world file; raises BadFile."""
    return files.read_file(path, strict_yaml.load)


def read(text: str, name: str, providers: Mapping[str, Provider] | None = None) -> World:
    """Reads a world from its YAML; raises Wrong."""
    return _world(text, strict_yaml.load(text), name, providers)


def from_data(data: Any, name: str) -> World:
    """Reads a world given as plain data, where paths tell but lines do not; raises Wrong."""
    return _world("", data, name, None)


@cache
def load_shipped(name: str) -> World:
    """Loads a shipped world, once; whoever uses it gets keys of their own."""
    return load(name)


def _world(text: str, data: Any, name: str, providers: Mapping[str, Provider] | None) -> World:
    providers = discover() if providers is None else providers
    if not isinstance(data, dict):
        raise LocatedError(1, "$", "a world is a mapping: name, and a section for each provider")
    given = data.get("name", name)
    if not isinstance(given, str):
        raise strict_yaml.located_error(text, ("name",), "name is text")
    unknown = [key for key in data if key != "name" and key not in providers]
    if unknown:
        lack = names.unknown("provider", str(unknown[0]), providers)
        raise strict_yaml.located_error(text, (unknown[0],), lack)
    return World(given, {key: _part(text, p, data.get(key, {})) for key, p in providers.items()})


def _part(text: str, provider: Provider, data: Any) -> ProviderWorld:
    section = strict_yaml.convert(text, data, (provider.name,), provider.section)
    try:
        return build(provider, section)
    except ValueError as error:
        raise strict_yaml.located_error(text, (provider.name,), str(error)) from None
