"""Snapshots as documents: JSON with a format version and a checksum, read in any process.

A document has the world as made and what differs from it, so that an account of which a few rows
have changed has a few rows in it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mockserver.engine.snapshot import SandboxState
from mockserver.errors import DataError, FileError, SettingError, json_path
from mockserver.files import snapshot_parts
from mockserver.model.json_members import once_each
from mockserver.model.provider import Provider
from mockserver.model.typed_data import at, convert
from mockserver.providers import discover
from mockserver.version import __version__

FORMAT = "mockserver snapshot"
VERSION = 1  # of the format; grows when an older version could not read a document
SIZE_MAX = 64 * 1024 * 1024  # bytes of a document
BATCH = 100  # items of a list that are encoded at once


class Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    """A document: ``checksum`` is of all other members, ``providers`` are those of the sandbox."""

    format: str
    version: int
    checksum: str
    made_by: str
    name: str
    providers: list[str]
    state: dict[str, Any]


def document(state: SandboxState, name: str) -> dict[str, Any]:
    """Returns a state as a document."""
    members = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": __version__,
        "name": name,
        "providers": sorted(state.providers),
        "state": snapshot_parts.document(state),
    }
    return {**members, "checksum": _checksum(members)}


def read(data: Any, providers: Mapping[str, Provider] | None = None) -> SandboxState:
    """Returns the state in a document; raises SettingError with one line."""
    providers = discover() if providers is None else providers
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise SettingError("this is no snapshot: take one by POST .../snapshots")
    if data.get("version") != VERSION:
        made_by = str(data.get("made_by"))[:40]
        message = f"a snapshot of format {data.get('version')!r}, made by version {made_by}"
        raise SettingError(f"{message}: this version reads format {VERSION}")
    rest = {key: value for key, value in data.items() if key != "checksum"}
    if data.get("checksum") != _checksum(rest):
        raise SettingError("the checksum is wrong: the snapshot was changed or cut; export it anew")
    try:
        envelope: Envelope = convert(data, Envelope)
        if set(envelope.providers) != set(providers):
            names = ", ".join(envelope.providers), ", ".join(sorted(providers))
            raise SettingError("the snapshot is of the providers {}; here are {}".format(*names))
        with at("state"):
            return snapshot_parts.read(envelope.state, providers)
    except DataError as error:
        message = f"the snapshot is wrong at {json_path(error.path)}: {error.message}"
        raise SettingError(message) from None


def read_file(path: str | Path) -> Any:
    """Returns the data of a document; raises FileError."""
    name = str(path)
    try:
        if Path(path).stat().st_size > SIZE_MAX:
            raise FileError(name, f"larger than {SIZE_MAX} bytes: no snapshot is")
        text = Path(path).read_bytes()
        return json.loads(text, object_pairs_hook=once_each)
    except OSError as error:
        raise FileError(name, str(error.strerror)) from None
    except (ValueError, RecursionError) as error:
        raise FileError(name, f"no JSON: {error}") from None


def _checksum(members: Any) -> str:
    """Returns the checksum of plain data; raises SettingError where there is too much of it."""
    digest, size = hashlib.sha256(), 0
    try:
        for part in _canonical(members):
            digest.update(part)
            size += len(part)
            if size > SIZE_MAX:
                raise SettingError(f"a snapshot has at most {SIZE_MAX} bytes")
    except (msgspec.MsgspecError, TypeError, UnicodeError, RecursionError) as error:
        raise SettingError(f"this is no snapshot: {error}") from None
    return f"sha256:{digest.hexdigest()}"


_encode = msgspec.json.Encoder(order="sorted").encode


def _canonical(value: Any) -> Iterator[bytes]:
    """Yields JSON without spaces, members sorted, in small parts."""
    if isinstance(value, dict):
        for n, key in enumerate(sorted(value)):
            yield (b"," if n else b"{") + _encode(key) + b":"
            yield from _canonical(value[key])
        yield b"}" if value else b"{}"
    elif isinstance(value, list):
        for start in range(0, len(value), BATCH):
            batch = _encode(value[start : start + BATCH])
            yield (b"," if start else b"[") + batch[1:-1]
        yield b"]" if value else b"[]"
    else:
        yield _encode(value)
