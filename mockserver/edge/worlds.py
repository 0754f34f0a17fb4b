"""World files: found, read, typed by each provider, and every mistake told in one line."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mockserver.engine.world import Part, World, build
from mockserver.providers import discover
from mockserver.wire import strict_yaml
from mockserver.wire.provider import Provider
from mockserver.wire.strict_yaml import Wrong

SIZE_MAX = 64 * 1024 * 1024


class BadFile(ValueError):
    """A file that cannot be used: which, where in it, and why, in one line."""


def fixtures() -> Path:
    """Returns the folder of shipped fixtures: in the package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "fixtures"
    return inside if inside.is_dir() else package.parent / "fixtures"


def shipped() -> list[str]:
    """Returns the names of the shipped worlds."""
    return sorted(path.stem for path in (fixtures() / "worlds").glob("*.yaml"))


def find(name: str) -> Path:
    """Returns the file of a shipped world's name, or of a path; raises BadFile."""
    inside = fixtures() / "worlds" / f"{name}.yaml"
    path = inside if name in shipped() else Path(name)
    if not path.is_file():
        raise BadFile(f"world {name}: no such file, and none of {', '.join(shipped())}")
    return path


def load(name: str, providers: Mapping[str, Provider] | None = None) -> World:
    """Loads a world by its name or path; raises BadFile."""
    path = find(name)
    world: World = _tried(path, lambda text: read(text, path.stem, providers))
    return world


def data(path: Path) -> Any:
    """Returns the plain data of a world file; raises BadFile."""
    return _tried(path, strict_yaml.load)


def _tried(path: Path, use: Callable[[str], Any]) -> Any:
    """Reads a file and uses its text; raises BadFile."""
    try:
        if path.stat().st_size > SIZE_MAX:
            raise BadFile(f"{path}: larger than {SIZE_MAX} bytes")
        return use(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{path}: {error}") from None
    except Wrong as wrong:
        raise BadFile(f"{path}:{wrong.line}: {wrong.path}: {wrong.what}") from None


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
        raise Wrong(1, "$", "a world is a mapping: name, and a section for each provider")
    given = data.get("name", name)
    if not isinstance(given, str):
        raise strict_yaml.wrong(text, ("name",), "name is text")
    unknown = [key for key in data if key != "name" and key not in providers]
    if unknown:
        known = ", ".join(providers)
        raise strict_yaml.wrong(text, (unknown[0],), f"no provider {unknown[0]}: there are {known}")
    return World(given, {key: _part(text, p, data.get(key, {})) for key, p in providers.items()})


def _part(text: str, provider: Provider, data: Any) -> Part:
    section = strict_yaml.convert(text, data, (provider.name,), provider.section)
    try:
        return build(provider, section)
    except ValueError as error:
        raise strict_yaml.wrong(text, (provider.name,), str(error)) from None
