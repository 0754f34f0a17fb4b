"""The sandboxes of a server, bounded in number; those that are not used expire."""

import threading
from collections.abc import Callable, Iterator, Sequence

from mockserver.engine.journal import JournalEntry
from mockserver.engine.memory_budget import MemoryBudget
from mockserver.engine.sandbox import Sandbox
from mockserver.engine.settings import Settings
from mockserver.engine.snapshot import SandboxState
from mockserver.engine.world import World
from mockserver.errors import SettingError, TooManySandboxes
from mockserver.faults.scenario import Scenario
from mockserver.model.times import SECOND

DEFAULT = "default"
SANDBOXES_MAX = 2_000
SWEEP_EVERY = SECOND


class Sandboxes:
    """The sandboxes by id, for any thread; ``real`` returns real time in nanoseconds.

    ``default`` always exists and never expires. Another one expires when it was not used for its
    ``ttl`` of monotonic time. There are at most ``most``; their memory stays within ``budget``.
    ``followers`` are called with each entry of each journal.
    """

    def __init__(
        self,
        default: Sandbox,
        real: Callable[[], int],
        most: int = SANDBOXES_MAX,
        budget: MemoryBudget | None = None,
        followers: Sequence[Callable[[JournalEntry], None]] = (),
    ) -> None:
        if most < 1:
            raise SettingError(f"there is at least one sandbox, default, not {most}")
        self.default = default
        self.most = most
        self.budget = budget or MemoryBudget()
        default.share.join(self.budget)
        self._followers = followers
        default.journal.followers += followers
        self._sandboxes = {default.id: default}
        self._real = real
        self._monotonic = default.clock.monotonic
        self._swept = 0
        self._lock = threading.Lock()
        self._explanation_budget = default.explanation_budget
        default.owner_of = self.owner_of

    def __iter__(self) -> Iterator[Sandbox]:
        """Iterates over the sandboxes that have not expired."""
        now = self._monotonic()
        with self._lock:
            return iter([box for box in self._sandboxes.values() if not _expired(box, now)])

    def __len__(self) -> int:
        """Returns the number of sandboxes, with expired ones that are not yet removed."""
        return len(self._sandboxes)

    def get(self, id: str) -> Sandbox | None:
        """Returns a sandbox, if there is one, and updates when it was last used."""
        sandbox = self._sandboxes.get(id)
        if sandbox is not None and sandbox.ttl is not None:
            now = self._monotonic()
            if _expired(sandbox, now):
                return None  # the next sweep removes it
            sandbox.last_used = now
        return sandbox

    def peek(self, id: str) -> Sandbox | None:
        """Returns a sandbox, if there is one, without counting that as a use."""
        sandbox = self._sandboxes.get(id)
        gone = sandbox is None or (sandbox.ttl is not None and _expired(sandbox, self._monotonic()))
        return None if gone else sandbox

    def make(
        self,
        id: str,
        world: World,
        settings: Settings,
        ttl: int,
        scenario: Scenario | None = None,
        state: SandboxState | None = None,
    ) -> Sandbox:
        """Makes a sandbox, in a given state, and replaces the one with the same id.

        Raises TooManySandboxes.
        """
        redactor = self.default.journal.redactor
        sandbox = Sandbox(
            id,
            world,
            self._real,
            settings,
            ttl,
            scenario,
            monotonic=self._monotonic,
            redactor=redactor,
            totals=self.default.journal.totals,
        )
        sandbox.journal.followers += self._followers
        sandbox.explanation_budget, sandbox.owner_of = self._explanation_budget, self.owner_of
        sandbox.clock.auth = self.default.clock.auth
        if state is not None:
            sandbox.return_to(state)
        with self._lock:
            self._sweep(at_once=len(self._sandboxes) >= self.most)
            if id not in self._sandboxes and len(self._sandboxes) >= self.most:
                redactor.drop(sandbox)
                raise TooManySandboxes(self.most)
            sandbox.share.join(self.budget)
            replaced = self._sandboxes.get(id)
            self._sandboxes[id] = sandbox
        if replaced is not None:
            replaced.end()
        return sandbox

    def owner_of(self, presented: bytes) -> str:
        """Returns whose key a client presented, in any sandbox; "" when it is in none."""
        for sandbox in list(self._sandboxes.values()):
            owner = sandbox.owner_here(presented)
            if owner:
                return f"{owner} of the sandbox {sandbox.id}"
        return ""

    def drop(self, id: str) -> None:
        """Removes a sandbox, if it exists; raises ValueError for the default one."""
        if id == DEFAULT:
            raise ValueError("the sandbox default stays: reset it instead")
        with self._lock:
            removed = self._sandboxes.pop(id, None)
        if removed is not None:
            removed.end()

    def _sweep(self, at_once: bool) -> None:
        now = self._monotonic()
        if at_once or now - self._swept >= SWEEP_EVERY:
            self._swept = now
            for sandbox in list(self._sandboxes.values()):
                if _expired(sandbox, now):
                    del self._sandboxes[sandbox.id]
                    sandbox.end()


def _expired(sandbox: Sandbox, now: int) -> bool:
    return sandbox.ttl is not None and now - sandbox.last_used > sandbox.ttl
