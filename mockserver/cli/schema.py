"""``mockserver schema``."""

import json
from typing import Any

import click

from mockserver.cli import config, options

KINDS = ("world", "scenario", "config")


@click.command(epilog="Example: mockserver schema world > world.schema.json")
@click.argument("kind", type=options.NameChoice(KINDS))
def schema(kind: str) -> None:
    """Print the JSON Schema (draft 7) of a KIND of file: world, scenario or config.

    An editor checks a file whose first comment is
    `# yaml-language-server: $schema=world.schema.json`; in mockserver.toml it is
    `#:schema config.schema.json`.
    """
    print(json.dumps(document(kind), indent=2))


def document(kind: str) -> dict[str, Any]:
    """Returns the schema of a kind of file."""
    from mockserver.files import schemas

    makers = {"world": schemas.world, "scenario": schemas.scenario, "config": _config}
    return makers[kind]()


def _config() -> dict[str, Any]:
    """Returns the schema of ``mockserver.toml``."""
    from mockserver.files import schemas
    from mockserver.providers import discover

    providers = discover()
    words = {"enum": ["default", "off"], "description": "All rate limits."}
    properties = {key: _option(key, kind) for key, kind in config.OPTIONS.items()}
    properties["quirks"] = _nested(schemas.quirks(providers))
    properties["limits"] = {"anyOf": [words, _nested(schemas.limits(providers))]}
    title = f"{config.NAME}: options of mockserver serve"
    head = {"$schema": schemas.DRAFT, "title": title, "type": "object"}
    return head | {"properties": properties, "additionalProperties": False}


TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _option(key: str, kind: type) -> dict[str, Any]:
    name = "as_json" if key == "json" else key
    option = next(option for option in options.SERVE if option.name == name)
    schema: dict[str, Any] = {"type": TYPES[kind], "description": option.help}
    if isinstance(option.type, click.IntRange):
        bounds = {"minimum": option.type.min, "maximum": option.type.max}
        schema |= {bound: value for bound, value in bounds.items() if value is not None}
    if isinstance(option.type, click.Choice):
        schema["enum"] = [*option.type.choices]
    return schema


def _nested(table: dict[str, Any]) -> dict[str, Any]:
    """Adds the form `cpg.key = ...`, which TOML reads as a table in a table."""
    properties = dict(table["properties"])
    for name, schema in table["properties"].items():
        provider, _, member = name.partition(".")
        inner = {"type": "object", "properties": {}, "additionalProperties": False}
        properties.setdefault(provider, inner)["properties"][member] = schema
    return table | {"properties": properties}
