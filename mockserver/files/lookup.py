"""Files that people write: shipped ones by name, others by path, every mistake in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockserver.files.strict_yaml import LocatedError

SIZE_MAX = 64 * 1024 * 1024


class FileError(ValueError):
    """A file that cannot be used: which, where in it, and why, in one line."""


def fixtures() -> Path:
    """Returns the folder of shipped fixtures: in the package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "fixtures"
    return inside if inside.is_dir() else package.parent / "fixtures"


def shipped(folder: str) -> list[str]:
    """Returns the names of the shipped files of a folder."""
    return sorted(path.stem for path in (fixtures() / folder).glob("*.yaml"))


def find(folder: str, name: str) -> Path:
    """Returns the file of a shipped name, or of a path; raises BadFile."""
    known = shipped(folder)
    path = fixtures() / folder / f"{name}.yaml" if name in known else Path(name)
    if not path.is_file():
        raise FileError(f"{folder[:-1]} {name}: no such file, and none of {', '.join(known)}")
    return path


def read_file(path: Path, use: Callable[[str], Any]) -> Any:
    """Reads a file and uses its text; raises BadFile."""
    try:
        if path.stat().st_size > SIZE_MAX:
            raise FileError(f"{path}: larger than {SIZE_MAX} bytes")
        return use(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: {error}") from None
    except LocatedError as wrong:
        raise FileError(f"{path}:{wrong.line}: {wrong.path}: {wrong.what}") from None
