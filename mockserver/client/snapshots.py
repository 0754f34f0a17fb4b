"""The state of a sandbox as a value: snapshots, which are restored, forked and saved to files.

with sandbox.snapshot():
    sandbox.cpg.debit("main", "USDT", "10")  # undone when the block ends
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mockserver.client.provider import quoted
from mockserver.client.tracebacks import CallersMistake, hides_frames
from mockserver.files import snapshots
from mockserver.model.times import Duration, spelled

__tracebackhide__ = hides_frames

Document = Mapping[str, Any]


class Snapshot:
    """A snapshot of a sandbox, which the server has by its ``name``.

    As a context manager it restores the sandbox when the block ends, and is deleted then.
    """

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self.name = name
        self._call = call

    def __repr__(self) -> str:
        """Returns the name."""
        return f"<Snapshot {self.name}>"

    def document(self) -> dict[str, Any]:
        """Returns the snapshot as JSON data, which any server restores."""
        return self._call("GET", f"/snapshots/{quoted(self.name)}")  # type: ignore[no-any-return]

    def save(self, path: str | Path) -> None:
        """Writes the document to a file, for the marker ``snapshot=`` and ``restore``."""
        Path(path).write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")

    def restore(self) -> None:
        """Returns the sandbox to this state."""
        self._call("POST", "/restore", {"snapshot": self.name})

    def delete(self) -> None:
        """Deletes the snapshot."""
        self._call("DELETE", f"/snapshots/{quoted(self.name)}")

    def __enter__(self) -> Self:
        """Returns the snapshot, which was taken already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Restores the sandbox."""
        self.restore()
        self.delete()


class HasState:
    """What a sandbox does with its state."""

    _call: Callable[..., Any]

    def snapshot(self, name: str | None = None, *, journal: bool = False) -> Snapshot:
        """Takes a snapshot: ledger, credentials, clocks, limits, faults and settings.

        ``journal`` adds the journal, which otherwise goes on when the snapshot is restored.
        """
        row = self._call("POST", "/snapshots", {"name": name, "journal": journal})
        return Snapshot(row["name"], self._call)

    def restore(self, snapshot: Snapshot | str | Path | Document) -> None:
        """Returns to a snapshot: the object, its name, the path of a file, or a document."""
        source: Any = snapshot.name if isinstance(snapshot, Snapshot) else snapshot
        if isinstance(source, Path):
            source = snapshot_data(source)
        self._call("POST", "/restore", {"snapshot": source})

    def rewind(self, n: int) -> None:
        """Returns to the state right before request ``n`` of the journal, which ends there.

        Raises ControlError with the reason where what led to the request is no longer in memory.
        """
        self._call("POST", "/rewind", {"to": n})

    def world(self) -> dict[str, Any]:
        """Returns the present balances and credentials as the data of a world file."""
        return self._call("GET", "/world")  # type: ignore[no-any-return]


def fork_body(id: str | None, ttl: Duration | None, snapshot: Snapshot | str | None) -> Any:
    """Returns the body of a fork."""
    name = snapshot.name if isinstance(snapshot, Snapshot) else snapshot
    return {"id": id, "snapshot": name} | ({} if ttl is None else {"ttl": spelled(ttl)})


def snapshot_data(source: str | Path | Document) -> Any:
    """Returns the data of a snapshot's document, read if it is a file; raises FileError."""
    if isinstance(source, str | Path):
        with CallersMistake():
            return snapshots.read_file(source)
    return dict(source)
