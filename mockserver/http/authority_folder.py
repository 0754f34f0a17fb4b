"""Where an authority lies: in a folder that is kept, or in a new one for one run of a server."""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from mockserver.errors import FileError
from mockserver.files.trust import CERTIFICATE, TRUST_STORE, Trust
from mockserver.http.certificates import Authority

KEY = "authority.key"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class AuthorityFolder:
    """An authority and the files that clients need; without a folder the files are temporary.

    Raises FileError for a folder that cannot be used, and for an authority that does not cover
    the names.
    """

    def __init__(self, names: Sequence[str], folder: str | Path | None = None) -> None:
        self._temporary = None if folder else Path(tempfile.mkdtemp(prefix="mockserver-"))
        self.folder = (self._temporary or Path(folder or "")).resolve()
        if self._temporary:
            self.authority = Authority.create(names)
        else:
            with _errors_named(self.folder):
                self.authority = _kept(self.folder, names)
        with _errors_named(self.folder):
            self.trust = self._write()

    def _write(self) -> Trust:
        """Writes what clients need, where it is missing or differs."""
        certificate, store = self.folder / CERTIFICATE, self.folder / TRUST_STORE
        pem = self.authority.pem
        changed = not certificate.exists() or certificate.read_bytes() != pem
        if changed:
            _replace(certificate, pem)
        if changed or not store.exists():
            content = self.authority.trust_store()
            if content is not None:
                _replace(store, content)
        java = str(store) if store.exists() else ""
        return Trust(str(certificate), java, pem.decode())

    def close(self) -> None:
        """Removes temporary files."""
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)


@contextlib.contextmanager
def _errors_named(folder: Path) -> Iterator[None]:
    """Turns an OSError inside the block into a FileError."""
    try:
        yield
    except OSError as error:
        file = error.filename or folder
        raise FileError(str(file), f"{error.strerror}: choose another --ca-dir") from None


def _kept(folder: Path, names: Sequence[str]) -> Authority:
    """Returns the authority of a folder, made when there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / KEY
    if not key.exists():
        _create(key, Authority.create(names).pem_with_key)
    if os.name == "posix" and key.stat().st_mode & OTHERS:
        raise FileError(str(key), "others can read this key: chmod 600, or remove it")
    try:
        authority = Authority.load(key.read_bytes())
    except ValueError:
        raise FileError(str(key), "this is no authority's key: remove it") from None
    if not authority.covers(names):
        message = f"this authority has expired, or is not for all of {', '.join(names)}: remove it"
        raise FileError(str(key), message)
    return authority


def _create(path: Path, content: bytes) -> None:
    """Writes a file as a whole that only the owner can read, unless there is one."""
    temporary = _temporary(path, content)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()


def _replace(path: Path, content: bytes) -> None:
    temporary = _temporary(path, content)
    temporary.chmod(0o644)
    temporary.replace(path)


def _temporary(path: Path, content: bytes) -> Path:
    """Writes a file beside a path, for the owner alone."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return Path(name)
