"""The JSON Schemas (draft 7) of world and scenario files, for editors and linters.

They say what a schema can: types, names, patterns. ``mockserver check`` knows the rest.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mockserver.faults import kinds
from mockserver.faults.pages import ERROR_PAGES
from mockserver.faults.parameters import schema_of
from mockserver.faults.parsing import RULE_NAME, TIMES_MAX, RuleSpec
from mockserver.faults.scenario import TEXT_MAX, ScenarioSpec
from mockserver.files import typed_schema
from mockserver.files.typed_schema import NOT_NEGATIVE, Schema
from mockserver.model.provider import Provider, Quirk
from mockserver.providers import discover

DRAFT = "http://json-schema.org/draft-07/schema#"
NAME = f"^{RULE_NAME.pattern}$"
NUMBER = r"[0-9]{1,12}(\.[0-9]{1,9})?"
DURATION_TEXT = rf"(?=[0-9])({NUMBER}h)?({NUMBER}m(?!s))?({NUMBER}s)?({NUMBER}ms)?$"
DURATION: Schema = {
    "type": ["string", "number"],
    "pattern": f"^{DURATION_TEXT}",
    "minimum": 0,
    "description": "A duration such as 250ms, 61s, 1m30s or 1h, or a number of seconds.",
}
SIGNED_DURATION: Schema = {"type": ["string", "number"], "pattern": f"^-?{DURATION_TEXT}"}
LIMIT: Schema = {"type": "string", "pattern": "^(off|[0-9]{1,12}/[0-9].*)$", "examples": ["5/60s"]}
COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": TIMES_MAX}
TEXTS = ("name", "about", "client")  # a scenario needs something beside them
WORDS = {"true": True, "on": True, "false": False, "off": False}


def world() -> Schema:
    """Returns the schema of a world file."""
    sections = {name: _section(provider) for name, provider in discover().items()}
    about = "A world: the seed data of a sandbox, a section for each provider."
    properties: Schema = {"name": {"type": "string", "description": "Its name."}, **sections}
    return _document("World", about, properties)


def scenario() -> Schema:
    """Returns the schema of a scenario file."""
    providers = discover()
    schema = typed_schema.of(ScenarioSpec)
    text = {"type": "string", "maxLength": TEXT_MAX}
    properties = schema["properties"] | {
        "name": {"type": "string", "pattern": NAME},
        "about": text | {"description": "The events."},
        "client": text | {"description": "The behaviour of a good client."},
        "rules": {"type": "array", "items": _rule(providers)},
        "quirks": quirks(providers),
        "limits": limits(providers),
        "skew": SIGNED_DURATION | {"description": "How far the auth clock is ahead."},
    }
    about = "A scenario: fault rules that belong together, and the settings that they need."
    contents = [{"required": [name]} for name in schema["properties"] if name not in TEXTS]
    return _document("Scenario", about, properties) | {"anyOf": contents}


def _document(title: str, about: str, properties: Schema) -> Schema:
    head = {"$schema": DRAFT, "title": title, "description": about, "type": "object"}
    return head | {"properties": properties, "additionalProperties": False}


def _section(provider: Provider) -> Schema:
    schema = typed_schema.of(provider.section)
    keys, accounts = (
        schema["properties"][group]["additionalProperties"] for group in ("keys", "accounts")
    )
    keys["properties"]["rejects"] = {"enum": sorted(provider.errors)}
    accounts["properties"]["balances"]["items"]["properties"].update(
        total=NOT_NEGATIVE, held=NOT_NEGATIVE
    )
    accounts["properties"]["generate"]["properties"]["rows"] |= {"minimum": 0, "maximum": 1_000_000}
    return schema


def quirks(providers: Mapping[str, Provider]) -> Schema:
    """Returns the schema of quirks by ``provider.name``."""
    named = {f"{p.name}.{q.name}": _quirk(q) for p in providers.values() for q in p.quirks}
    return {"type": "object", "properties": named, "additionalProperties": False}


def limits(providers: Mapping[str, Provider]) -> Schema:
    """Returns the schema of limits by ``provider.name``."""
    named = {
        f"{p.name}.{li.name}": LIMIT | {"default": li.text}
        for p in providers.values()
        for li in p.limits
    }
    return {"type": "object", "properties": named, "additionalProperties": False}


def _quirk(quirk: Quirk) -> Schema:
    words: list[Any] = [*quirk.choices]
    words += [WORDS[word] for word in quirk.choices if word in WORDS]
    words += [int(word) for word in quirk.choices if word.isdigit()]
    forms: list[Schema] = [{"enum": words}] if words else []
    forms += [DURATION] * quirk.duration
    forms += [{"type": ["string", "integer"], "pattern": "^[0-9]+$"}] * quirk.number
    return {"description": quirk.about, "default": quirk.default, "anyOf": forms}


def _rule(providers: Mapping[str, Provider]) -> Schema:
    schema = typed_schema.of(RuleSpec)
    parts = schema["properties"]
    parts["name"]["pattern"] = NAME
    operations = ["balances", *(route.id for p in providers.values() for route in p.routes)]
    parts["match"]["properties"] |= {
        "provider": {"enum": ["*", *providers]},
        "operation": {"enum": _distinct(operations)},
        "method": {"type": "string", "pattern": "^[A-Z]+$"},
        "path": {"type": "string", "pattern": r"^(\*|/[^*?# ]*\*?)$"},
    }
    parts["when"]["properties"] |= {
        "requests": {"type": ["string", "integer"], "pattern": "^[1-9][0-9]*(-[0-9]*)?$"}
        | {"minimum": 1, "examples": ["2", "1-3", "5-"]},
        "probability": {"type": "number", "minimum": 0, "maximum": 1},
        **dict.fromkeys(("every", "times"), COUNT),
        **dict.fromkeys(("from", "until", "for", "period"), DURATION),
    }
    reasons = _distinct(reason for p in providers.values() for reason in p.errors)
    parts["answer"]["properties"] |= {
        "reject": {"enum": reasons},
        "page": {"enum": [*ERROR_PAGES]},
        "status": {"type": "integer", "minimum": 200, "maximum": 599},
    }
    parts["mutate"] = _faults(kinds.MUTATIONS)
    parts["deliver"] = _faults(kinds.DELIVERIES)
    parts["deliver"]["properties"]["clock"] = {"enum": ["real", "sandbox"]}
    effects = [{"required": [part]} for part in ("answer", "mutate", "deliver")]
    both = {"required": ["answer", "mutate"]}
    return schema | {"anyOf": effects, "not": both}


def _faults(group: str) -> Schema:
    named = {
        kind.name: {"description": kind.about, **schema_of(kind.parse)}
        for kind in kinds.kinds(group).values()
    }
    return {"type": "object", "properties": named, "additionalProperties": False}


def _distinct(names: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(names)]
