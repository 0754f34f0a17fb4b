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
    "processes": int,
    "advertise": str,
    "trusted_proxy": str,
    "json": bool,
    "log_level": str,
    "log_format": str,
    "cors": bool,
    "fault_headers": bool,
    "gzip": bool,
    "head_timeout": float,
    "body_timeout": float,
    "max_connections": int,
    "memory_budget": str,
    "max_sandboxes": int,
    "tls": bool,
    "tls_port": int,
    "tls_fault": str,
    "ca_dir": str,
    "proxy_port": int,
    "unix_socket": str,
    "grace": float,
}
TABLES = ("quirks", "limits")
TYPE_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def read(path: Path) -> dict[str, Any]:
    """Reads the file; returns {} if there is none; raises FileError.

    ``quirks`` and ``limits`` are tables by ``provider.name``; ``limits`` may be
    ``"default"`` or ``"off"`` instead. Names and types of the options are checked here,
    the values and the content of the tables by ``options``.
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
            data[key] = _flat(path, key, value)
        elif key not in OPTIONS:
            from mockserver.model.suggestions import unknown

            message = unknown("option", key, [*OPTIONS, *TABLES])
            raise FileError(str(path), message, path=(key,))
        elif type(value) is not OPTIONS[key] and (type(value), OPTIONS[key]) != (int, float):
            message = f"{key} takes {TYPE_NAMES[OPTIONS[key]]}, not {value!r}"
            raise FileError(str(path), message, path=(key,))
    return data


def _flat(path: Path, key: str, table: Any) -> Any:
    """Returns a table's values by ``provider.name``, or the text that ``limits`` may be."""
    if key == "limits" and isinstance(table, str):
        return table
    if not isinstance(table, dict):
        raise FileError(str(path), f"{key} is a table of settings by name", path=(key,))
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):  # TOML reads `cpg.key = "..."` as a table in a table
            flat |= {f"{name}.{member}": inner for member, inner in value.items()}
        else:
            flat[name] = value
    return flat
