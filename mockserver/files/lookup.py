"""Finds and reads world and scenario files: shipped ones by name, others by path."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockserver.errors import DataError, FileError
from mockserver.files import strict_yaml
from mockserver.model.suggestions import did_you_mean

SIZE_MAX = 64 * 1024 * 1024  # bytes of a file


def fixtures() -> Path:
    """Returns the folder of shipped files: in the package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "fixtures"
    return installed if installed.is_dir() else package.parent / "fixtures"


def shipped(folder: str) -> list[str]:
    """Returns the names of the shipped files in a folder, sorted."""
    return sorted(path.stem for path in (fixtures() / folder).glob("*.yaml"))


def find(folder: str, name: str) -> Path:
    """Returns the file for a shipped name or a path; raises FileError."""
    known = shipped(folder)
    path = fixtures() / folder / f"{name}.yaml" if name in known else Path(name)
    if not path.is_file():
        message = f"no such {folder[:-1]}: neither a file nor one of {', '.join(known)}"
        raise FileError(name, message + did_you_mean(name, known))
    return path


def read_file(path: Path, parse: Callable[[str], Any]) -> Any:
    """Reads a file and returns its parsed text; raises FileError."""
    try:
        if path.stat().st_size > SIZE_MAX:
            raise FileError(str(path), f"larger than {SIZE_MAX} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(str(path), str(error)) from None
    try:
        with strict_yaml.located(text):
            return parse(text)
    except DataError as error:
        raise FileError(str(path), error.message, error.line, error.path) from None
