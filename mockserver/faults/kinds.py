"""The kinds of fault: each mutation and delivery registers itself under its name.

The modules that hold them are imported when a rule first names one.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from msgspec import Struct

from mockserver.model.suggestions import choices

MUTATIONS = "mutations"
DELIVERIES = "deliveries"


class FaultKind(Struct, frozen=True):
    """One mutation or delivery.

    ``about`` describes it in one sentence. ``parse`` reads the value in a rule and raises
    ValueError. ``apply`` changes a response or a script. Kinds with a higher ``order`` run
    later. ``watch`` sees every successful response that the rule matches, before any change.
    """

    name: str
    about: str
    parse: Callable[[Any], Any]
    apply: Callable[..., Any]
    order: int = 0
    watch: Callable[..., None] | None = None


_REGISTERED: dict[str, dict[str, FaultKind]] = {MUTATIONS: {}, DELIVERIES: {}}

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def register(
    group: str,
    parse: Callable[[Any], Any],
    order: int = 0,
    watch: Callable[..., None] | None = None,
) -> Decorator:
    """Registers the decorated function as a fault, under its own name."""

    def add(apply: Callable[..., Any]) -> Callable[..., Any]:
        about = (apply.__doc__ or "").partition("\n")[0]
        name = apply.__name__
        _REGISTERED[group][name] = FaultKind(name, about, parse, apply, order, watch)
        return apply

    return add


def kinds(group: str) -> Mapping[str, FaultKind]:
    """Returns all mutations or all deliveries by name, sorted."""
    import_module(f"mockserver.faults.{group}")
    return dict(sorted(_REGISTERED[group].items()))


def find(group: str, name: str) -> FaultKind:
    """Returns a mutation or a delivery; raises ValueError for an unknown name."""
    known = kinds(group)
    if name not in known:
        raise ValueError(f"there is no {name}: {choices(name, known)}")
    return known[name]
