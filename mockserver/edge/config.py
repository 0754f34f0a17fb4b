"""``mockserver.toml`` in the current directory: the options of ``serve``, and two tables."""

from pathlib import Path
from typing import Any

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
    "memory_budget": str,
    "max_sandboxes": int,
}


class BadConfig(Exception):
    """A configuration that cannot be used: where, and why, in one line."""


def read(path: Path) -> dict[str, Any]:
    """Reads the file, {} when there is none; raises BadConfig.

    ``quirks`` and ``limits`` are tables of text by ``provider.name``; ``limits`` may be
    ``"default"`` or ``"off"`` instead.
    """
    if not path.is_file():
        return {}
    import tomllib

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadConfig(f"{path}: {error}") from None
    for key, value in data.items():
        if key in ("quirks", "limits"):
            data[key] = _texts(path, key, value)
        elif key not in OPTIONS:
            known = ", ".join([*OPTIONS, "limits", "quirks"])
            raise BadConfig(f"{path}: no option {key}: there are {known}")
        elif type(value) is not OPTIONS[key]:
            raise BadConfig(f"{path}: {key} takes {_article(OPTIONS[key])}, not {value!r}")
    return data


def _texts(path: Path, key: str, value: Any) -> Any:
    if key == "limits" and isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise BadConfig(f"{path}: {key} is a table of texts")
    flat = {}
    for name, inner in value.items():
        # TOML reads `cpg.key = "..."` as a table in a table.
        pairs = inner.items() if isinstance(inner, dict) else [("", inner)]
        for below, found in pairs:
            if not isinstance(found, str):
                raise BadConfig(f"{path}: {key}.{name} takes text in quotes, not {found!r}")
            flat[f"{name}.{below}" if below else name] = found
    return flat


def _article(kind: type) -> str:
    return {str: "text", int: "a whole number", bool: "true or false"}[kind]
