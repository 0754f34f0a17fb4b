"""Finds and reads world and scenario files: shipped ones by name, others by path."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockserver.files.strict_yaml import LocatedError

SIZE_MAX = 64 * 1024 * 1024  # bytes of a file


class FileError(ValueError):
    """A file that cannot be used; the message is one line: file, line and path in it, reason."""


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
        raise FileError(f"{folder[:-1]} {name}: no such file, and none of {', '.join(known)}")
    return path


def read_file(path: Path, parse: Callable[[str], Any]) -> Any:
    """Reads a file and returns its parsed text; raises FileError."""
    try:
        if path.stat().st_size > SIZE_MAX:
            raise FileError(f"{path}: larger than {SIZE_MAX} bytes")
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: {error}") from None
    except LocatedError as error:
        raise FileError(f"{path}:{error.line}: {error.path}: {error.what}") from None
