"""JSON Schemas (draft 7) of the types that msgspec reads."""

import re
from collections.abc import Callable
from typing import Any

from msgspec import NODEFAULT, inspect

from mockserver.model.amounts import Amount

Schema = dict[str, Any]
AMOUNT: Schema = {
    "type": "string",
    "pattern": r"^-?[0-9]{1,120}(\.[0-9]{1,120})?$",
    "description": "An exact amount, quoted.",
    "examples": ["1.50"],
}
NOT_NEGATIVE: Schema = AMOUNT | {"pattern": AMOUNT["pattern"].replace("-?", "")}
NO_DEFAULT = (NODEFAULT, None, "")


def of(kind: Any) -> Schema:
    """Returns the schema of a type."""
    return _of(inspect.type_info(kind))


def first_sentence(text: str | None) -> str:
    """Returns the first sentence of a docstring, without the marks of code."""
    paragraph = " ".join((text or "").partition("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph)[0].replace("``", "`")


def _of(info: inspect.Type) -> Schema:
    for kind, schema in _KINDS.items():
        if isinstance(info, kind):
            return schema(info)
    return {}


def _object(info: inspect.StructType) -> Schema:
    schema: Schema = {
        "type": "object",
        "description": first_sentence(info.cls.__doc__),
        "properties": {field.encode_name: _member(field) for field in info.fields},
        "additionalProperties": not info.forbid_unknown_fields,
    }
    required = [field.encode_name for field in info.fields if field.required]
    return schema | ({"required": required} if required else {})


def _member(field: inspect.Field) -> Schema:
    schema = _of(field.type)
    default = field.default
    if isinstance(default, str | int | float | bool) and default not in NO_DEFAULT:
        schema = schema | {"default": default}
    return schema


def _union(info: inspect.UnionType) -> Schema:
    """Returns the schema of the one type beside null, or of several simple ones."""
    parts = [_of(t) for t in info.types if not isinstance(t, inspect.NoneType | inspect.CustomType)]
    parts += [_of(t) for t in info.types if isinstance(t, inspect.CustomType) and t.cls is Amount]
    if len(parts) == 1:
        return parts[0]
    return {"type": [part["type"] for part in parts]}


_KINDS: dict[Any, Callable[[Any], Schema]] = {
    inspect.StructType: _object,
    inspect.UnionType: _union,
    inspect.DictType: lambda i: {"type": "object", "additionalProperties": _of(i.value_type)},
    inspect.ListType | inspect.VarTupleType: lambda i: {"type": "array", "items": _of(i.item_type)},
    inspect.LiteralType: lambda i: {"enum": sorted(i.values)},
    inspect.CustomType: lambda i: dict(AMOUNT) if i.cls is Amount else {},
    inspect.BoolType: lambda i: {"type": "boolean"},
    inspect.StrType: lambda i: {"type": "string"},
    inspect.IntType: lambda i: {"type": "integer"},
    inspect.FloatType: lambda i: {"type": "number"},
}
