"""The emulated APIs: each is a folder with a ``provider.py``, found by being there."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from mockserver.model.provider import Provider


@cache
def discover() -> dict[str, Provider]:
    """Returns every provider by name; one whose folder lies on this package's path."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.ispkg)
    modules = [importlib.import_module(f"{__name__}.{name}.provider") for name in names]
    return {module.PROVIDER.name: module.PROVIDER for module in modules}


def folder(name: str) -> Path:
    """Returns where a provider's document and facts lie."""
    package = importlib.import_module(f"{__name__}.{name}")
    return Path(package.__path__[0])
