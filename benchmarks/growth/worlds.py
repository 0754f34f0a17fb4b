"""Worlds of one provider with so much in them, and sandboxes that begin with them."""

import time

from benchmarks.subject import ENDLESS, raised
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT
from mockserver.engine.settings import Settings
from mockserver.engine.world import World
from mockserver.files import worlds
from mockserver.model.provider import GeneratedUser, Provider
from mockserver.model.signing import seeded
from mockserver.providers import discover

ROWS = 20


def world(provider: Provider, accounts: int = 1, keys: int = 1, rows: int = ROWS) -> World:
    """Makes one provider's world: an account with rows for each key, and more without either."""
    made = [provider.holder(person(n)) for n in range(keys)]  # type: ignore[misc]
    recipe = {"generate": {"rows": rows, "seed": 1}}
    section = {
        "keys": {person(n).label: key for n, (key, _, _) in enumerate(made)},
        "accounts": {id: account | recipe for _, id, account in made},
    }
    first = made[0][2]
    for n in range(keys, accounts):
        section["accounts"][f"account_{n:036x}"] = first | {"label": f"more-{n}"}
    return worlds.from_data({provider.name: section}, "grown")


def person(n: int) -> GeneratedUser:
    """Returns the n-th caller, whose key has the same label."""
    label = f"caller-{n}" if n else "main"
    return GeneratedUser(label, label, seeded(1, "growth", n, size=64))


def box(world: World, id: str = DEFAULT) -> Sandbox:
    """Makes a sandbox whose limits are on and out of reach."""
    settings = Settings(limits=raised(discover()), quirks=ENDLESS)
    return Sandbox(id, world, time.time_ns, settings)
