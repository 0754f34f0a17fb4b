"""The faults that there are: found by looking, imported when a rule asks for one."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from mockserver.faults import deliveries, mutations
from mockserver.model.names import choices

MUTATIONS = "mutations"
DELIVERIES = "deliveries"

_FOLDERS = {MUTATIONS: mutations, DELIVERIES: deliveries}


@cache
def names(kind: str) -> list[str]:
    """Returns the names of all mutations, or of all deliveries."""
    return sorted(module.name for module in iter_modules(_FOLDERS[kind].__path__))


def find(kind: str, name: str) -> Any:
    """Returns the module of a fault; raises ValueError."""
    if name not in names(kind):
        raise ValueError(f"there is no {name}: {choices(name, names(kind))}")
    return import_module(f"{_FOLDERS[kind].__name__}.{name}")


def about(kind: str, name: str) -> str:
    """Returns what a fault does, in a sentence."""
    sentence: str = find(kind, name).__doc__
    return sentence.strip().partition("\n")[0]
