"""Sandboxes: made, shown, reset, dropped; their quirks and limits; what the server is."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver import caches
from mockserver.control import faults
from mockserver.control.routes import ControlCall, ControlError
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT, TooManySandboxes
from mockserver.engine.settings import Settings, changed
from mockserver.files import worlds
from mockserver.files.strict_yaml import LocatedError
from mockserver.model import times
from mockserver.model.provider import Provider
from mockserver.model.suggestions import choices
from mockserver.model.times import SECOND, parse_duration
from mockserver.tools.credentials import credentials

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME = re.compile(r"[a-z0-9-]{1,64}")
TTL = "1h"
TTL_MAX = 24 * 3600 * SECOND
ROWS_MAX = 100_000  # rows of a world given inline

Setting = str | int | float | bool  # a value of a quirk or a limit in JSON


class SandboxSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """How a sandbox shall be: world and scenario, a shipped one's name or inline, and settings.

    What is not given is as in the sandbox ``default`` when the server started.
    """

    world: str | dict[str, Any] | None = None
    seed: int | None = None
    quirks: dict[str, Setting] = {}
    limits: str | dict[str, Setting] | None = None
    scenario: str | dict[str, Any] | None = None
    ttl: str | int | float = TTL


def health(call: ControlCall) -> dict[str, Any]:
    """Returns that the server runs, and how much of its bounds is used; memory in bytes."""
    sandboxes = call.app.sandboxes
    budget = sandboxes.budget
    return {
        "status": "ok",
        "memory": {
            "used": budget.used,
            "budget": budget.limit,
            "caches": sum(caches.usage().values()),
        },
        "sandboxes": {"count": len(sandboxes), "max": sandboxes.most},
    }


def providers(call: ControlCall) -> dict[str, Any]:
    """Tells what runs here."""
    return {name: describe(provider) for name, provider in call.app.providers.items()}


def describe(provider: Provider) -> dict[str, Any]:
    """Returns a provider's operations, reasons, quirks, limits and events."""
    return {
        "title": provider.title,
        "operations": [{"id": r.id, "method": r.method, "path": r.path} for r in provider.routes],
        "reasons": sorted(provider.errors),
        "quirks": {
            q.name: {"default": q.default, "choices": list(q.choices), "about": q.about}
            for q in provider.quirks
        },
        "limits": {li.name: li.text for li in provider.limits},
        "events": [e.named() for e in provider.all_events],
    }


def index(call: ControlCall) -> dict[str, Any]:
    """Lists the sandboxes there are."""
    return {"sandboxes": [{"id": s.id, "expires": _expires(s)} for s in call.app.sandboxes]}


def make(call: ControlCall) -> dict[str, Any]:
    """Makes a sandbox, under a given id in the place of the one that has it."""
    wish: SandboxSpec = call.body
    id = call.path.get("id") or secrets.token_hex(8)
    if not ID.fullmatch(id):
        raise ControlError(400, f"{id!r} is no id", "id", "letters, digits, . _ -, at most 64")
    if id == DEFAULT:
        raise ControlError(409, "the sandbox default is there already", "id", "choose another id")
    settings = _settings(call.app, wish)
    ttl = _ttl(wish.ttl)
    world = _renewed(_world(call.app, wish.world))
    scenario = call.app.sandboxes.default.initial_scenario
    if wish.scenario is not None:
        scenario = faults.read(wish.scenario, "$.scenario")
    try:
        sandbox = call.app.sandboxes.make(id, world, settings, ttl, scenario)
    except TooManySandboxes as error:
        raise ControlError(
            409, str(error), hint="delete some, or give them a shorter ttl"
        ) from None
    return _told(call, sandbox)


def _settings(app: Any, wish: SandboxSpec) -> Settings:
    settings: Settings = app.sandboxes.default.initial_settings
    if wish.seed is not None:
        settings = replace(settings, seed=wish.seed)
    hint = "see /__admin/providers"
    settings = _changed(app, settings, "quirks", wish.quirks, hint)
    by_word = isinstance(wish.limits, str)
    hint = "default, off, or an object" if by_word else hint
    return _changed(app, settings, "limits", wish.limits, hint)


def _changed(app: Any, settings: Settings, name: str, wish: Any, hint: str) -> Settings:
    try:
        return changed(settings, app.providers, **{name: wish})
    except ValueError as error:
        at = _named(f"$.{name}", name.removesuffix("s"), wish, str(error))
        raise ControlError(400, str(error), at, hint) from None


def _named(at: str, what: str, settings: Any, error: str) -> str:
    """Returns the path of the setting that an error is about."""
    for name in settings if isinstance(settings, Mapping | list) else ():
        if error.startswith((f"{what} {name}: ", f"no {what} {name}: ")):
            return f'{at}["{name}"]'
    return at


def _ttl(text: str | float) -> int:
    try:
        ttl = parse_duration(text)
    except ValueError as error:
        raise ControlError(400, str(error), "$.ttl", "1h, for example") from None
    if not 0 < ttl <= TTL_MAX:
        raise ControlError(400, "ttl lies between nothing and 24h", "$.ttl", "1h, for example")
    return ttl


def _world(app: Any, wish: str | Mapping[str, Any] | None) -> Any:
    if wish is None:
        return app.sandboxes.default.world
    if isinstance(wish, str):
        if not NAME.fullmatch(wish) or wish not in worlds.shipped():
            there = choices(wish, worlds.shipped(), "; or give one inline")
            raise ControlError(400, "no such world", "$.world", there)
        return worlds.load_shipped(wish)
    if _rows(wish) > ROWS_MAX:
        raise ControlError(400, "too many rows", "$.world", f"at most {ROWS_MAX} in all")
    try:
        return worlds.from_data(wish, "inline")
    except LocatedError as wrong:
        at = "$.world" + wrong.path.removeprefix("$")
        raise ControlError(400, wrong.what, at, "see the chapter on worlds") from None


def _renewed(world: Any) -> Any:
    """Returns the world with fresh keys; one clear line when a provider cannot have any."""
    try:
        return world.with_fresh_keys(secrets.token_bytes)
    except ValueError as error:
        hint = "give the provider's credential a fresh(entropy) of its own"
        raise ControlError(500, str(error), "$.world", hint) from None


def _rows(node: Any) -> int:
    """Counts the rows that recipes in a world ask for."""
    if isinstance(node, dict):
        recipe = node.get("generate")
        rows = recipe.get("rows", 0) if isinstance(recipe, dict) else 0
        below = sum(_rows(value) for value in node.values())
        return (max(rows, 0) if isinstance(rows, int) else 0) + below
    return sum(_rows(value) for value in node) if isinstance(node, list) else 0


def show(call: ControlCall) -> dict[str, Any]:
    """Tells where a sandbox is and who may call it."""
    return _told(call, call.sandbox)


def _told(call: ControlCall, sandbox: Sandbox) -> dict[str, Any]:
    return {
        "id": sandbox.id,
        "expires": _expires(sandbox),
        "world": sandbox.world.name,
        "seed": sandbox.settings.seed,
        "scenario": sandbox.scenario.name if sandbox.scenario else None,
        "providers": {
            name: _provider(sandbox, provider, call.app.base_url(name, sandbox.id, call.origin))
            for name, provider in call.app.providers.items()
        },
    }


def _provider(sandbox: Sandbox, provider: Provider, base_url: str) -> dict[str, Any]:
    others = credentials(sandbox, provider)
    return {"base_url": base_url, "credentials": others.pop("main", {}), "others": others}


def _expires(sandbox: Sandbox) -> str | None:
    """Returns when a sandbox goes if it is not used, by the machine's clock as it is now."""
    if sandbox.ttl is None:
        return None
    clock = sandbox.clock
    return times.instant_text(clock.real() + sandbox.last_used + sandbox.ttl - clock.monotonic())


def drop(call: ControlCall) -> None:
    """Forgets a sandbox."""
    sandbox = call.sandbox
    try:
        call.app.sandboxes.drop(sandbox.id)
    except ValueError as error:
        raise ControlError(409, str(error), hint="POST .../reset") from None


def reset(call: ControlCall) -> dict[str, Any]:
    """Puts a sandbox back to how it was made."""
    call.sandbox.reset()
    return _told(call, call.sandbox)


def quirks(call: ControlCall) -> dict[str, str]:
    """Tells every quirk in force."""
    settings = call.sandbox.settings
    return {
        f"{p.name}.{q.name}": settings.quirks.get(f"{p.name}.{q.name}", q.default)
        for p in call.app.providers.values()
        for q in p.quirks
    }


def set_quirks(call: ControlCall) -> dict[str, str]:
    """Changes quirks; null is the default."""
    _configure(call, "quirk", quirks(call), quirks=call.body)
    return quirks(call)


def limits(call: ControlCall) -> dict[str, str]:
    """Tells every limit in force."""
    sandbox = call.sandbox
    with sandbox.lock:
        return {
            f"{name}.{limit}": counter.limit.text
            for name, state in sandbox.states.items()
            for limit, counter in state.counters.items()
        }


def set_limits(call: ControlCall) -> dict[str, str]:
    """Changes limits by name, null is the default; or all by a word."""
    _configure(call, "limit", limits(call), limits=call.body)
    return limits(call)


def _configure(call: ControlCall, what: str, known: Mapping[str, str], **changes: Any) -> None:
    given = [name for told in changes.values() if isinstance(told, dict) for name in told]
    for name in given:
        if name not in known:
            raise ControlError(400, f"no {what} {name}", f'$["{name}"]', choices(name, known))
    try:
        call.sandbox.configure(**changes)
    except ValueError as error:
        at = _named("$", what, given, str(error))
        raise ControlError(400, str(error), at, "see /__admin/providers") from None
