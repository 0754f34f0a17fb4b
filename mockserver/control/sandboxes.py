"""Creates, shows, resets and deletes sandboxes; their quirks and limits; what the server is."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mockserver import caches
from mockserver.control.faults import check_tls_fault, read_scenario
from mockserver.control.routes import ControlCall, invalid, one_of
from mockserver.control.trust import https_member
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.sandboxes import DEFAULT
from mockserver.engine.settings import Settings, changed
from mockserver.engine.snapshot import SandboxState
from mockserver.errors import (
    ControlError,
    DataError,
    InvalidCall,
    SettingError,
    TooManySandboxes,
    json_path,
)
from mockserver.files import snapshots, worlds
from mockserver.model import times
from mockserver.model.provider import Provider
from mockserver.model.suggestions import choices
from mockserver.tools.credentials import credentials

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
WORLD_NAME = re.compile(r"[a-z0-9-]{1,64}")
TTL = "1h"
TTL_MAX = 24 * 3600 * times.SECOND
ROWS_MAX = 100_000  # rows of a world given inline
SNAPSHOT_ROWS_MAX = 1_000_000  # generated rows of a snapshot's world: whale has half of that
REJECTING = "reject-REASON"  # label and key of the credentials that are refused for a reason
PROVIDERS_HINT = "see /__admin/providers"

Setting = str | int | float | bool  # a value of a quirk or a limit in JSON


class SandboxSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """The seed data and settings of a new sandbox.

    A world and a scenario are a shipped one's name or inline data; ``ttl`` is a duration. What is
    not given is as in the sandbox ``default`` when the server started. ``fault_headers`` lets a
    request force its fate by ``X-Mockserver-Reject`` and ``X-Mockserver-Deliver``. A ``snapshot``,
    which is a document, has all of this but ``ttl``.
    """

    world: str | dict[str, Any] | None = None
    seed: int | None = None
    quirks: dict[str, Setting] = {}
    limits: str | dict[str, Setting] | None = None
    scenario: str | dict[str, Any] | None = None
    ttl: str | int | float = TTL
    fault_headers: bool | None = None
    snapshot: dict[str, Any] | None = None


def health(call: ControlCall) -> dict[str, Any]:
    """Returns how much of the server's bounds is used; memory in bytes."""
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
    """Returns a description of each provider."""
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


def shipped_worlds(call: ControlCall) -> dict[str, Any]:
    """Lists the shipped worlds."""
    rows = [{"name": name, "about": worlds.about(name)} for name in worlds.shipped()]
    return {"worlds": rows}


def index(call: ControlCall) -> dict[str, Any]:
    """Lists the sandboxes."""
    return {"sandboxes": [{"id": s.id, "expires": _expires(s)} for s in call.app.sandboxes]}


def create(call: ControlCall) -> dict[str, Any]:
    """Creates a sandbox; replaces the one with the id in the path, if there is one."""
    spec: SandboxSpec = call.body
    id = call.path.get("id") or secrets.token_hex(8)
    check_id(id, "id")
    ttl = parse_ttl(spec.ttl)
    if spec.snapshot is not None:
        if spec != SandboxSpec(ttl=spec.ttl, snapshot=spec.snapshot):
            hint = "change the rest behind that"
            raise InvalidCall("a snapshot has its own settings: give ttl alone", "$", hint)
        state = read_snapshot(call.app, spec.snapshot)
        return sandbox_document(call, make_sandbox(call.app, id, ttl, state))
    settings = _settings(call.app, spec)
    world = _with_fresh_keys(_world(call.app, spec.world))
    scenario = call.app.sandboxes.default.initial_scenario
    if spec.scenario is not None:
        scenario = read_scenario(spec.scenario, "scenario")
        check_tls_fault(call, id, scenario, "scenario")
    return sandbox_document(call, _make(call.app, id, world, settings, ttl, scenario))


def check_id(id: str, at: str) -> None:
    """Raises ControlError for what cannot be the id of a new sandbox."""
    if not ID.fullmatch(id):
        raise InvalidCall(f"{id!r} is not an id", at, "letters, digits, . _ -, at most 64")
    if id == DEFAULT:
        raise ControlError(409, "the sandbox default exists already", at, "choose another id")


def make_sandbox(app: Any, id: str, ttl: int, state: SandboxState) -> Sandbox:
    """Makes a sandbox in a given state; raises ControlError (409) for too many."""
    return _make(app, id, state.world, state.initial_settings, ttl, None, state)


def _make(app: Any, *arguments: Any) -> Sandbox:
    try:
        sandbox: Sandbox = app.sandboxes.make(*arguments)
    except TooManySandboxes as error:
        hint = "delete some, or give them a shorter ttl"
        raise ControlError(409, str(error), hint=hint) from None
    return sandbox


def read_snapshot(app: Any, document: Any) -> SandboxState:
    """Returns the state in a snapshot's document; raises InvalidCall."""
    if isinstance(document, Mapping) and _generated_rows(document) > SNAPSHOT_ROWS_MAX:
        hint = f"at most {SNAPSHOT_ROWS_MAX} in all"
        raise InvalidCall("too many generated rows", "$.snapshot", hint)
    try:
        return snapshots.read(document, app.providers)
    except SettingError as error:
        raise InvalidCall(error.message, "$.snapshot", "nothing has changed") from None


def _settings(app: Any, spec: SandboxSpec) -> Settings:
    settings: Settings = app.sandboxes.default.initial_settings
    if spec.seed is not None:
        settings = replace(settings, seed=spec.seed)
    if spec.fault_headers is not None:
        settings = replace(settings, fault_headers=spec.fault_headers)
    try:
        return changed(settings, app.providers, spec.quirks, spec.limits)  # type: ignore[arg-type]
    except SettingError as error:
        hint = "default, off, or an object" if error.path == ("limits",) else PROVIDERS_HINT
        raise InvalidCall(error.message, json_path(error.path), hint) from None


def parse_ttl(text: str | float) -> int:
    """Returns a time to live in nanoseconds; raises InvalidCall."""
    try:
        ttl = times.parse_duration(text)
    except ValueError as error:
        raise InvalidCall(str(error), "$.ttl", "1h, for example") from None
    if not 0 < ttl <= TTL_MAX:
        raise InvalidCall("ttl must be above zero and at most 24h", "$.ttl", "1h, for example")
    return ttl


def _world(app: Any, source: str | Mapping[str, Any] | None) -> Any:
    """Returns the world for a shipped name or inline data; raises InvalidCall."""
    if source is None:
        return app.sandboxes.default.world
    if isinstance(source, str):
        if not WORLD_NAME.fullmatch(source) or source not in worlds.shipped():
            known = choices(source, worlds.shipped(), "; or give one inline")
            raise InvalidCall("no such world", "$.world", known)
        return worlds.load_shipped(source)
    if _generated_rows(source) > ROWS_MAX:
        raise InvalidCall("too many rows", "$.world", f"at most {ROWS_MAX} in all")
    try:
        return worlds.from_data(source, "inline")
    except DataError as error:
        raise invalid(error, "see docs/reference/worlds.md", "world") from None


def _with_fresh_keys(world: Any) -> Any:
    """Returns the world with new keys; raises ControlError (500) where a provider's cannot be."""
    try:
        return world.with_fresh_keys(secrets.token_bytes)
    except ValueError as error:
        hint = "give the provider's credential a regenerate(entropy) of its own"
        raise ControlError(500, str(error), "$.world", hint) from None


def _generated_rows(world: Mapping[str, Any]) -> int:
    """Returns how many rows the recipes in a world's data generate."""
    total, nodes = 0, [world]
    while nodes:
        node: Any = nodes.pop()
        if isinstance(node, dict):
            recipe = node.get("generate")
            rows = recipe.get("rows") if isinstance(recipe, dict) else 0
            total += max(rows, 0) if isinstance(rows, int) else 0
            nodes += node.values()
        elif isinstance(node, list):
            nodes += node
    return total


def show(call: ControlCall) -> dict[str, Any]:
    """Returns a sandbox's URLs, credentials and settings."""
    return sandbox_document(call, call.sandbox)


def sandbox_document(call: ControlCall, sandbox: Sandbox) -> dict[str, Any]:
    """Returns a sandbox's URLs, credentials and settings."""
    full = one_of(call.query, "full", ("false", "true")) == "true"
    return {
        "id": sandbox.id,
        "expires": _expires(sandbox),
        "world": sandbox.world.name,
        "seed": sandbox.settings.seed,
        "scenario": sandbox.scenario.name if sandbox.scenario else None,
        "providers": {
            name: _provider_document(
                sandbox,
                provider,
                call.app.base_url(name, sandbox.id, call.origin),
                call.app.direct_url(name, sandbox.id, call.origin),
                full,
            )
            | https_member(call, name, sandbox.id)
            for name, provider in call.app.providers.items()
        },
    }


def _provider_document(
    sandbox: Sandbox, provider: Provider, base_url: str, direct_url: str, full: bool
) -> dict[str, Any]:
    others = credentials(sandbox, provider)
    if not full:
        others = _with_pattern(others, provider)
    return {
        "base_url": base_url,
        "direct_url": direct_url,
        "credentials": others.pop("main", {}),
        "others": others,
    }


def _with_pattern(others: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
    """Replaces the credentials ``reject-...``, which differ in the reason only, by a pattern."""
    rejecting = {f"reject-{reason}" for reason in provider.errors} & others.keys()
    listed = {label: members for label, members in others.items() if label not in rejecting}
    label = next(iter(sorted(rejecting)), None)
    if label is not None:
        members = others[label].items()
        listed[REJECTING] = {k: REJECTING if v == label else v for k, v in members}
    return listed


def _expires(sandbox: Sandbox) -> str | None:
    """Returns when an unused sandbox expires, on the machine's clock as it is set now."""
    if sandbox.ttl is None:
        return None
    clock = sandbox.clock
    return times.instant_text(clock.real() + sandbox.last_used + sandbox.ttl - clock.monotonic())


def delete(call: ControlCall) -> None:
    """Deletes a sandbox."""
    try:
        call.app.sandboxes.drop(call.sandbox.id)
    except ValueError as error:
        raise ControlError(409, str(error), hint="POST .../reset") from None


def reset(call: ControlCall) -> dict[str, Any]:
    """Returns a sandbox to its initial state; the id and the credentials stay."""
    call.sandbox.reset()
    return sandbox_document(call, call.sandbox)


def quirks(call: ControlCall) -> dict[str, str]:
    """Returns the value of every quirk."""
    settings = call.sandbox.settings
    return {
        f"{p.name}.{q.name}": settings.quirks.get(f"{p.name}.{q.name}", q.default)
        for p in call.app.providers.values()
        for q in p.quirks
    }


def set_quirks(call: ControlCall) -> dict[str, str]:
    """Sets quirks by name; null is the default."""
    _check_names("quirk", call.body, quirks(call))
    _configure(call.sandbox, quirks=call.body)
    return quirks(call)


def limits(call: ControlCall) -> dict[str, str]:
    """Returns the value of every rate limit."""
    sandbox = call.sandbox
    with sandbox.lock:
        return {
            f"{name}.{limit}": counter.limit.text
            for name, state in sandbox.states.items()
            for limit, counter in state.counters.items()
        }


def set_limits(call: ControlCall) -> dict[str, str]:
    """Sets limits by name, null is the default; ``default`` or ``off`` sets all."""
    if not isinstance(call.body, str):
        _check_names("limit", call.body, limits(call))
    _configure(call.sandbox, limits=call.body)
    return limits(call)


def _check_names(kind: str, names: Mapping[str, Any], known: Mapping[str, str]) -> None:
    for name in names:
        if name not in known:
            raise InvalidCall(f"no {kind} {name}", json_path((name,)), choices(name, known))


def _configure(sandbox: Sandbox, **changes: Any) -> None:
    try:
        sandbox.configure(**changes)
    except SettingError as error:
        at = json_path(error.path[1:])  # the body is what stands at quirks or limits
        raise InvalidCall(error.message, at, PROVIDERS_HINT) from None
