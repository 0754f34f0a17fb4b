"""Turns plain data into types, and says where in the data a mistake is."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from mockserver.errors import DataError, DataPath, SettingError
from mockserver.model.amounts import decode_hook
from mockserver.model.suggestions import did_you_mean

# msgspec's errors have no structure. They end in where the mistake is: .name, [3], or [...] for
# a key of a dict, which msgspec does not name.
_PATH = re.compile(r" - at `\$((?:\.[^.\[`]+|\[\d+\]|\[\.\.\.\])+)`$")
_STEP = re.compile(r"\[\d+\]|\[\.\.\.\]|\.[^.\[]+")
_UNKNOWN_FIELD = re.compile(r"unknown field `(.*)`$", re.DOTALL)


def convert(data: Any, kind: Any) -> Any:
    """Returns plain data as a type; raises DataError."""
    try:
        return msgspec.convert(data, kind, dec_hook=decode_hook)
    except msgspec.ValidationError as error:
        raise _data_error(error, data, kind) from None


@contextmanager
def at(*path: str | int) -> Iterator[None]:
    """Turns a ValueError raised inside into a DataError, its path below this one."""
    try:
        yield
    except SettingError as error:
        raise DataError(error.message, (*path, *error.path)) from None
    except ValueError as error:
        raise DataError(str(error), path) from None


def _data_error(error: msgspec.ValidationError, data: Any, kind: Any) -> DataError:
    """Splits msgspec's sentence into message and path: the one place that does."""
    sentence = str(error)
    match = _PATH.search(sentence)
    message = sentence[: match.start()] if match else sentence
    steps = _STEP.findall(match[1]) if match else []
    path = _path(data, steps, lambda candidate: _sentence(candidate, kind) == sentence)
    unknown = _UNKNOWN_FIELD.search(message)
    if unknown:
        message += did_you_mean(unknown[1], members(kind, path))
        path = (*path, unknown[1])
    if isinstance(error.__cause__, DataError):  # raised by a struct's own check
        message, path = error.__cause__.message, path + error.__cause__.path
    return DataError(message, path)


def members(kind: Any, path: DataPath) -> tuple[str, ...]:
    """Returns the members of the innermost object on a path, as they are written."""
    found = _encoded_members(kind)
    for step in path:
        kind = _kind_below(kind, step)
        found = _encoded_members(kind) or found
    return found


def _encoded_members(kind: Any) -> tuple[str, ...]:
    kinds = get_args(kind) if _is_union(kind) else (kind,)
    return next((k.__struct_encode_fields__ for k in kinds if _is_struct(k)), ())


def _is_struct(kind: Any) -> bool:
    return hasattr(kind, "__struct_encode_fields__")


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _kind_below(kind: Any, step: str | int) -> Any:
    """Returns the type of a member or an item, None where it is not known."""
    for one in get_args(kind) if _is_union(kind) else (kind,):
        origin = get_origin(one)
        if _is_struct(one):
            names = dict(zip(one.__struct_encode_fields__, one.__struct_fields__, strict=True))
            return get_type_hints(one).get(names.get(str(step), ""))
        if origin in (dict, Mapping):
            return get_args(one)[1]
        if origin in (list, tuple, Sequence):
            return get_args(one)[0]
    return None


def _path(data: Any, steps: list[str], fails: Callable[[Any], bool]) -> DataPath:
    """Returns the path of msgspec's steps; it ends where no key can be found for ``[...]``.

    The key for ``[...]`` is the first that fails in the same way when it is the only one.
    """
    path: DataPath = ()
    for step in steps:
        if step != "[...]":
            path += (int(step[1:-1]) if step[0] == "[" else step[1:],)
            continue
        members = _at(data, path).items()
        alone = ((key, _replaced(data, path, {key: value})) for key, value in members)
        key, data = next((pair for pair in alone if fails(pair[1])), (None, data))
        if key is None:
            break
        path += (key,)
    return path


def _at(data: Any, path: DataPath) -> Any:
    for step in path:
        data = data[step]
    return data


def _replaced(data: Any, path: DataPath, value: Any) -> Any:
    """Returns a copy of the data with another value at the path."""
    if not path:
        return value
    copy = data.copy()
    copy[path[0]] = _replaced(data[path[0]], path[1:], value)
    return copy


def _sentence(data: Any, kind: Any) -> str:
    try:
        msgspec.convert(data, kind, dec_hook=decode_hook)
    except msgspec.ValidationError as error:
        return str(error)
    return ""
