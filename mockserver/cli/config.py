"""``mockserver.toml`` in the current directory: the options of ``serve``, and two tables."""

from pathlib import Path
from typing import Any

from mockserver.errors import FileError

NAME = "mockserver.toml"
OPTIONS = {
    "host": str,
    "port": int,
    "world": str,
    "scenario": str,
    "watch": bool,
    "explain_header": bool,
    "seed": int,
    "public_url": str,
    "json": bool,
    "log_format": str,
    "cors": bool,
    "head_timeout": float,
    "body_timeout": float,
    "max_connections": int,
    "memory_budget": str,
    "max_sandboxes": int,
}
TABLES = ("quirks", "limits")


def read(path: Path) -> dict[str, Any]:
    """Reads the file, {} when there is none; raises FileError.

    ``quirks`` and ``limits`` are tables by ``provider.name``; ``limits`` may be
    ``"default"`` or ``"off"`` instead. What their values may be is not checked here.
    """
    if not path.is_file():
        return {}
    import tomllib

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(str(path), str(error)) from None
    for key, value in data.items():
        if key in TABLES:
            data[key] = _values(path, key, value)
        elif key not in OPTIONS:
            known = ", ".join([*OPTIONS, "limits", "quirks"])
            raise FileError(str(path), f"no option {key}: there are {known}", path=(key,))
        elif type(value) is not OPTIONS[key] and (type(value), OPTIONS[key]) != (int, float):
            message = f"{key} takes {_article(OPTIONS[key])}, not {value!r}"
            raise FileError(str(path), message, path=(key,))
    return data


def _values(path: Path, key: str, value: Any) -> Any:
    """Returns a table of values by ``provider.name``."""
    if key == "limits" and isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise FileError(str(path), f"{key} is a table of settings by name", path=(key,))
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        # TOML reads `cpg.key = "..."` as a table in a table.
        pairs = inner.items() if isinstance(inner, dict) else [("", inner)]
        flat |= {f"{name}.{below}" if below else name: found for below, found in pairs}
    return flat


def _article(kind: type) -> str:
    return {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[kind]
