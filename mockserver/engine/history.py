"""The last requests and control calls of a sandbox, with states from which they can be repeated.

Requests are kept as received, secrets included: they never leave the process. A checkpoint is a
state of the sandbox, followed by what came after it: CHECKPOINT_BYTES of that, more after a large
state, so that the time to make states does not grow with them.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar

from msgspec import Struct

from mockserver.engine.clock import Clock
from mockserver.engine.memory_budget import MemoryShare
from mockserver.engine.snapshot import SandboxState

CHECKPOINT_BYTES = 1024 * 1024
HISTORY_BYTES_MAX = 4 * 1024 * 1024
REQUEST_SIZE = 1_500  # measured bytes of a request beside its texts
CALL_SIZE = 1_500

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Recording")


class RecordedCall(Struct, frozen=True):
    """A change of a sandbox by a method."""

    method: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class Item(NamedTuple):
    """A request to a provider, or a call where there is none, and its times in nanoseconds."""

    provider: str
    what: Any
    auth_now: int
    monotonic: int


class Checkpoint:
    """A sandbox's clock and state after ``n`` requests, and what came after it.

    ``items`` are the members of each Item, one after the other: a request adds no object.
    """

    def __init__(self, clock: Clock, state: SandboxState) -> None:
        self.clock = clock
        self.state = state
        self.n = state.journal.count if state.journal else 0
        self.items: list[Any] = []
        self.size = state.size

    def __iter__(self) -> Iterator[Item]:
        """Iterates over the items so far."""
        members = iter([*self.items])
        return (Item(*four) for four in zip(members, members, members, members, strict=True))


class History:
    """The checkpoints of one sandbox; the oldest are dropped beyond HISTORY_BYTES_MAX.

    A request extends ``items`` by the members of an Item and takes its bytes from ``left``; when
    none are left, the next one needs a checkpoint. The bytes count towards ``share``.
    """

    def __init__(self, share: MemoryShare) -> None:
        self._share = share
        self.checkpoints: list[Checkpoint] = []
        self.items: list[Any] = []  # of the last checkpoint
        self.left = self._room = 0
        self._closed = True

    @property
    def size(self) -> int:
        """The bytes that it takes."""
        open_size = self._room - self.left
        return sum([checkpoint.size for checkpoint in self.checkpoints]) + open_size

    def begin(self, clock: Clock, state: SandboxState) -> None:
        """Adds a checkpoint; the state has a journal, without entries."""
        self._close()
        checkpoint = Checkpoint(clock, state)
        self.checkpoints.append(checkpoint)
        self.items, self._closed = checkpoint.items, False
        self.left = self._room = max(CHECKPOINT_BYTES, min(checkpoint.size, HISTORY_BYTES_MAX))
        self._share.add(checkpoint.size)
        while self.size > HISTORY_BYTES_MAX and len(self.checkpoints) > 1:
            self._share.add(-self.drop_oldest())

    def add(self, call: RecordedCall, auth_now: int, monotonic: int, size: int) -> None:
        """Adds a call that takes ``size`` bytes, unless the checkpoint is gone."""
        if not self._closed:
            self.items += ("", call, auth_now, monotonic)
            self.left -= size
            self._share.add(size)

    def clear(self) -> None:
        """Drops everything."""
        self._share.add(-self.size)
        self._forget_all()

    def before(self, n: int) -> tuple[Checkpoint, list[Item], Item] | None:
        """Returns a checkpoint, the items from it to request ``n``, and the request itself.

        Returns None where no checkpoint leads there.
        """
        for checkpoint in reversed(self.checkpoints):
            if checkpoint.n < n:
                number, items = checkpoint.n, list(checkpoint)
                for at, item in enumerate(items):
                    number += bool(item.provider)
                    if number == n:
                        return checkpoint, items[:at], item
                return None
        return None

    def cut(self, checkpoint: Checkpoint, count: int) -> None:
        """Drops all that came after a number of items of a checkpoint."""
        before = self.size
        self._close()
        del self.checkpoints[self.checkpoints.index(checkpoint) + 1 :]
        del checkpoint.items[len(Item._fields) * count :]
        self._share.add(self.size - before)

    def _close(self) -> None:
        """Lets the next item need a checkpoint."""
        if not self._closed:
            self.checkpoints[-1].size += self._room - self.left
        self.items, self.left, self._room, self._closed = [], 0, 0, True

    def _forget_all(self) -> None:
        self.checkpoints = []
        self.items, self.left, self._room, self._closed = [], 0, 0, True

    @property
    def first(self) -> int:
        """The number of the first request that can be reached, 0 for none."""
        return self.checkpoints[0].n + 1 if self.checkpoints else 0

    def drop_oldest(self) -> int:
        """Drops the oldest checkpoint with what came after it; returns the bytes freed."""
        if not self.checkpoints:
            return 0
        before = self.size
        if len(self.checkpoints) == 1:
            self._forget_all()
        else:
            del self.checkpoints[0]
        return before - self.size

    def fold(self) -> int:
        """Frees nothing: a checkpoint has no detail to drop."""
        return 0


class Recording(Protocol):
    """A sandbox, as far as it records its changes."""

    def record(self, method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Calls a method that changes the sandbox, and records the call."""


def recorded(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Decorates a method that changes a sandbox, so that ``rewind`` can carry it out again."""

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = self.record(method, args, kwargs)
        return result

    return call
