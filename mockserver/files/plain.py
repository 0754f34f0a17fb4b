"""Values as plain JSON data, which ``model/typed_data`` turns back into their types."""

from base64 import b64encode
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import fields


def plain(value: Any) -> Any:
    """Returns a value as plain data: amounts as text, bytes in base64, structs as objects.

    Members of a struct with their default value are left out.
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Struct):
        return _members(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: plain(member) for key, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, Collection) else value


def _members(value: Struct) -> dict[str, Any]:
    members: dict[str, Any] = {}
    config = value.__struct_config__
    if config.tag_field is not None:
        members[config.tag_field] = config.tag
    for field in fields(value):
        member = getattr(value, field.name)
        if field.required or not _same(member, _default(field)):
            members[field.encode_name] = plain(member)
    return members


def _same(member: Any, default: Any) -> bool:
    # Amounts that are equal may differ in their scale.
    return bool(member == default) and str(member) == str(default)


def _default(field: Any) -> Any:
    factory = field.default_factory
    return factory() if callable(factory) else field.default


def pairs(values: Mapping[Any, Any]) -> list[Any]:
    """Returns a mapping whose keys are no text as a list of pairs."""
    return [[plain(key), plain(value)] for key, value in values.items()]
