"""The emulated APIs: each is a folder with a ``provider.py``.

A comment ``# fact: ID`` names the row of the folder's ``facts.yaml`` that the line carries out.
"""

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from mockserver.model.provider import Provider


@cache
def discover() -> dict[str, Provider]:
    """Imports ``provider.py`` of every folder in this package; returns the providers by name."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.ispkg)
    modules = [importlib.import_module(f"{__name__}.{name}.provider") for name in names]
    return {module.PROVIDER.name: module.PROVIDER for module in modules}


def folder(name: str) -> Path:
    """Returns the folder of a provider, which has its OpenAPI document and facts."""
    package = importlib.import_module(f"{__name__}.{name}")
    return Path(package.__path__[0])
