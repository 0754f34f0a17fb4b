"""The named snapshots of a sandbox, bounded in number and, with those of all others, in bytes."""

from msgspec import Struct

from mockserver.engine.memory_budget import MemoryShare
from mockserver.engine.snapshot import SandboxState
from mockserver.errors import SettingError

SNAPSHOTS_MAX = 100


class NamedSnapshot(Struct, frozen=True):
    """A state, the sandbox time at which it was taken, and the number of requests before it."""

    name: str
    state: SandboxState
    time: int
    requests: int


class SnapshotShelf(dict[str, NamedSnapshot]):
    """The snapshots of one sandbox by name; their bytes count towards ``share``."""

    def __init__(self, share: MemoryShare) -> None:
        super().__init__()
        self._share = share
        self.taken = 0

    def next_name(self) -> str:
        """Returns a name that no snapshot has."""
        self.taken += 1
        while f"snapshot-{self.taken}" in self:
            self.taken += 1
        return f"snapshot-{self.taken}"

    def put(self, snapshot: NamedSnapshot) -> None:
        """Adds a snapshot, or replaces the one with its name; raises SettingError for too many."""
        if snapshot.name not in self and len(self) >= SNAPSHOTS_MAX:
            raise SettingError(f"a sandbox has at most {SNAPSHOTS_MAX} snapshots: delete one")
        replaced = self.get(snapshot.name)
        if not self._share.pin(snapshot.state.size):
            raise SettingError("snapshots take half the memory budget already: delete one")
        if replaced is not None:
            self._share.pin(-replaced.state.size)
        self[snapshot.name] = snapshot

    def drop(self, name: str) -> None:
        """Removes a snapshot."""
        self._share.pin(-self.pop(name).state.size)
