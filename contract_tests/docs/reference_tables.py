"""The tables of the documentation, each rendered from the code that it describes."""

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from importlib import resources
from types import FunctionType
from typing import Any

import msgspec
import yaml

import mockserver
from mockserver import errors
from mockserver.certify import pytest_plugin as certify_plugin
from mockserver.cli import config, options
from mockserver.cli.main import COMMANDS, RUNNING
from mockserver.client import pytest_plugin, pytest_quirks
from mockserver.control import fault_kinds
from mockserver.control.api import ROUTES
from mockserver.faults import kinds
from mockserver.faults.parameters import schema_of
from mockserver.model.provider import ErrorContext, Provider
from mockserver.model.reject import Reject
from mockserver.providers import discover

Rows = Iterable[Iterable[str]]


def table(heads: str, rows: Rows) -> str:
    """Returns a table in Markdown; ``heads`` are separated by commas."""
    lines = [heads.split(", "), ["---"] * len(heads.split(", ")), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def code(text: object) -> str:
    """Returns text as code in a cell of a table, nothing for nothing."""
    plain = str(text).replace("|", "\\|")
    return f"`{plain}`" if plain else ""


def about(thing: object) -> str:
    """Returns the first sentence of a docstring, as a cell of a table."""
    paragraph = (inspect.getdoc(thing) or "").partition("\n\n")[0]
    sentence = re.split(r"(?<=\.)(?<!e\.g\.)\s", " ".join(paragraph.split()))[0]
    return sentence.replace("``", "`").replace("|", "\\|")


def serve_options() -> str:
    rows = []
    for option in options.SERVE:
        name = "json" if option.name == "as_json" else str(option.name)
        key = (
            name if name in config.OPTIONS else {"quirk": "[quirks]", "limit": "[limits]"}.get(name)
        )
        default = "" if option.default in (None, False) or option.multiple else option.default
        limits = "limits" if name == "limits" else ""
        rows.append(
            [
                code(option.opts[0]),
                code(option.envvar or ""),
                code(key or limits),
                code("" if str(default).startswith("Sentinel") else default),
                str(option.help).replace("|", "\\|"),
            ]
        )
    return table("option, variable, in mockserver.toml, default, meaning", rows)


def commands() -> str:
    return table(
        "command, meaning", ([code(n), text] for n, text in {**COMMANDS, **RUNNING}.items())
    )


def quirks() -> str:
    rows = []
    for provider in discover().values():
        for quirk in provider.quirks:
            values = [code(choice) for choice in quirk.choices if choice != quirk.default]
            values += ["a duration"] * quirk.duration + ["a number"] * quirk.number
            name = f"{provider.name}.{quirk.name}"
            rows.append([code(name), code(quirk.default), ", ".join(values), quirk.about])
    return table("quirk, default, other values, meaning", rows)


def limits() -> str:
    rows = []
    for provider in discover().values():
        for limit in provider.limits:
            window = "the time before a request" if limit.rolling else "fixed, from the full minute"
            rows.append([code(f"{provider.name}.{limit.name}"), code(limit.text), window])
    return table("limit, default, window", rows)


def reasons() -> str:
    providers = discover()
    names = sorted({reason for p in providers.values() for reason in p.errors})
    rows = ([code(r), *(_status(p, r) for p in providers.values())] for r in names)
    return table(f"reason, {', '.join(providers)}", rows)


def _status(provider: Provider, reason: str) -> str:
    """Returns the status of the response that a client gets with the default quirks."""
    if reason not in provider.errors:
        return ""
    quirks = {quirk.name: quirk.default for quirk in provider.quirks}
    return str(provider.refuse(Reject(reason), ErrorContext(quirks)).status)


def events() -> str:
    rows = []
    for provider in discover().values():
        for event in provider.all_events:
            members = ", ".join(map(code, event.__struct_fields__))
            rows.append([provider.name, code(event.named()), members, about(event)])
    return table("provider, event, members, meaning", rows)


def provider_routes() -> str:
    rows = []
    for provider in discover().values():
        for route in provider.routes:
            path = provider.base_path + route.path
            names = f"{code(route.id)}" + (", `balances`" if route.id == provider.main else "")
            rows.append([provider.name, names, route.method, code(path), code(route.permission)])
    return table("provider, operation, method, path, permission", rows)


def control_routes() -> str:
    text = resources.files("mockserver.control").joinpath("openapi.yaml").read_text("utf-8")
    paths = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))["paths"]
    rows = []
    for route in ROUTES:
        path = next(paths[p] for p in (route.path, f"/__admin{route.path}") if p in paths)
        summary = path[route.method.lower()]["summary"].rstrip(".") + "."
        query = ", ".join(map(code, route.query))
        rows.append([route.method, code(route.path), query, summary])
    return table("method, path below `/__admin`, query, meaning", rows)


def error_classes() -> str:
    classes = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.MockServerError) and kind.__module__ == errors.__name__
    ]
    classes.sort(key=lambda kind: inspect.getsourcelines(kind)[1])
    rows = []
    for kind in classes:
        bases = ", ".join(code(base.__name__) for base in kind.__bases__)
        known = dict.fromkeys(re.findall(r"self\.(\w+)(?= =|, self)", _source(kind)))
        rows.append([code(kind.__name__), bases, ", ".join(map(code, known)), about(kind)])
    return table("error, is a, attributes, meaning", rows)


def _source(kind: type) -> str:
    ours = [base for base in kind.__mro__ if base.__module__ == errors.__name__]
    return "\n".join(inspect.getsource(base) for base in ours)


def fixtures() -> str:
    rows = []
    for module in (pytest_plugin, pytest_quirks, certify_plugin):
        for name, value in vars(module).items():
            marker = getattr(value, "_fixture_function_marker", None)
            if marker is not None:
                function = inspect.unwrap(value)
                rows.append([code(name), str(marker.scope), about(function)])
    return table("fixture, scope, meaning", rows)


def marker_settings() -> str:
    return ", ".join(f"`{name}`" for name in pytest_plugin.SETTINGS)


def plugin_options() -> str:
    rows = []
    for name, text in pytest_plugin.OPTIONS.items():
        variable = f"MOCKSERVER_{name.upper().replace('-', '_')}"
        rows.append(
            [code(f"--mockserver-{name}"), code(variable), text[0].upper() + text[1:] + "."]
        )
    about_quirks = about(pytest_quirks).partition(": ")[2]
    rows.append([code(pytest_quirks.OPTION), "", about_quirks[0].upper() + about_quirks[1:]])
    return table("option, variable, meaning", rows)


def _members(rows: Iterable[fault_kinds.Member]) -> str:
    return table("member, example, meaning", ([code(n), _example(n, v), t] for n, t, v in rows))


def _example(name: str, schema: Any) -> str:
    (example, *_) = schema["examples"]
    return code(f"{name}: {msgspec.json.encode(example).decode()}")


def _kinds(group: str) -> str:
    rows = (
        [code(kind.name), _example(kind.name, schema_of(kind.parse)), kind.about.replace("``", "`")]
        for kind in kinds.kinds(group).values()
    )
    return table("kind, example, meaning", rows)


PUBLIC = ("MockServer", "Sandbox", "ProviderHandle", "Clock", "JournalEntry", "Balance", "Auth")
PUBLIC_FUNCTIONS = ("create_app",)
MADE_BY_CALLERS = ("MockServer", "Auth")


def python_api() -> str:
    parts = []
    for name in PUBLIC:
        kind = getattr(mockserver, name)
        parts.append(f"## {name}\n\n{about(kind)}\n")
        fields = getattr(kind, "__struct_fields__", ())
        if fields:
            parts.append("Attributes: " + ", ".join(map(code, fields)) + ".\n")
        elif name in MADE_BY_CALLERS:
            parts.append(_call(name, kind.__init__))
        inherited = dict(_public_members(mockserver.Sandbox)) if name == "MockServer" else {}
        rows = [_method(n, m) for n, m in _public_members(kind) if n not in inherited]
        if inherited:
            parts.append("It has every member of a `Sandbox`, for the sandbox `default`, and:\n")
        if rows:
            parts.append(table("member, meaning", rows) + "\n")
    for name in PUBLIC_FUNCTIONS:
        function = getattr(mockserver, name)
        parts.append(f"## {name}\n\n{about(function)}\n")
        parts.append(_call(name, function))
    return "\n".join(parts).rstrip()


def _call(name: str, function: Any) -> str:
    """Returns a block with a call, as wide as a page."""
    text = name + _signature(function)
    lines = textwrap.wrap(text, 88, subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join(["```text", *lines, "```", ""])


def _public_members(kind: type) -> Iterable[tuple[str, Any]]:
    """Yields what a class and its bases in the package define, each once."""
    seen: dict[str, Any] = {}
    for base in kind.__mro__:
        if base.__module__.startswith("mockserver"):
            for name, value in vars(base).items():
                methods = FunctionType | property | classmethod | staticmethod
                if name[0] != "_" and isinstance(value, methods):
                    seen.setdefault(name, value)
    return seen.items()


def _method(name: str, value: Any) -> list[str]:
    if isinstance(value, property):
        return [code(name), about(value.fget)]
    function = getattr(value, "__func__", value)
    return [code(name + _signature(function)), about(function)]


def _signature(function: Any) -> str:
    """Returns parameters and defaults; the types are in the code, and an editor shows them."""
    signature = inspect.signature(function)
    bare = [
        p.replace(annotation=inspect.Parameter.empty)
        for p in signature.parameters.values()
        if p.name not in ("self", "cls")
    ]
    text = str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
    return re.sub(r"<built-in function (\w+)>", r"time.\1", text)


def world_members() -> str:
    rows = []
    for provider in discover().values():
        for group in ("keys", "accounts"):
            kind = inspect.get_annotations(provider.section)[group].__args__[1]
            fields = [n for n in kind.__struct_encode_fields__ if n not in ("balances", "generate")]
            rows.append([provider.name, code(group), ", ".join(map(code, fields))])
        rows.append(
            [
                provider.name,
                "`balances`",
                ", ".join(map(code, provider.row.__struct_encode_fields__)),
            ]
        )
    return table("provider, of, members", rows)


TABLES: dict[str, Callable[[], str]] = {
    "options of serve": serve_options,
    "commands": commands,
    "quirks": quirks,
    "limits": limits,
    "reasons": reasons,
    "events": events,
    "operations": provider_routes,
    "control routes": control_routes,
    "errors": error_classes,
    "fixtures": fixtures,
    "marker": marker_settings,
    "plugin options": plugin_options,
    "match": lambda: _members(fault_kinds.MATCH),
    "when": lambda: _members(fault_kinds.WHEN),
    "answer": lambda: _members(fault_kinds.ANSWER),
    "mutate": lambda: _kinds(kinds.MUTATIONS),
    "deliver": lambda: _kinds(kinds.DELIVERIES),
    "python": python_api,
    "members of a world": world_members,
}
