"""Returns a sandbox to the state right before a request, by carrying out again what came before."""

from collections.abc import Iterable
from contextlib import suppress

from msgspec.structs import replace

from mockserver.engine import pipeline
from mockserver.engine.clock import Clock
from mockserver.engine.history import Checkpoint, Item
from mockserver.engine.sandbox import Sandbox
from mockserver.errors import SettingError

NO_CHECKPOINT = 1 << 62  # bytes


class _Times:
    """The times at which something is carried out again, in nanoseconds."""

    def __init__(self) -> None:
        self.real = self.monotonic = 0

    def drive(self, clock: Clock) -> Clock:
        """Returns a clock that shows these times."""
        return clock.driven_by(lambda: self.real, lambda: self.monotonic)

    def set(self, item: Item, skew: int) -> None:
        """Takes the times of an item; ``skew`` is that of the clock then."""
        self.monotonic, self.real = item.monotonic, item.auth_now - skew


def rewind(sandbox: Sandbox, n: int) -> None:
    """Returns to the state right before request ``n``, and cuts the journal there.

    The requests before it are carried out again without the lock. Raises SettingError, with the
    reason, where that is impossible; nothing has changed then.
    """
    with sandbox.lock:
        journal, history = sandbox.journal, sandbox.history
        if not 0 < n <= journal.count:
            raise SettingError(f"there is no request {n}: the last one is {journal.count}")
        found = history.before(n)
        if found is None:
            left = f"go back to {history.first} or later" if history.first else "none is left"
            raise SettingError(f"what led to request {n} was dropped: {left}")
        checkpoint, items, request = found
    copy = _carried_out(sandbox.id, checkpoint, items, request)
    with sandbox.lock:
        if checkpoint not in history.checkpoints:
            raise SettingError(f"what led to request {n} was dropped meanwhile")
        history.cut(checkpoint, len(items))
        state = copy.state(journal=True)
        if state.journal is not None:
            kept = tuple(entry for entry in journal.entries if entry.n < n)
            state = replace(state, journal=replace(state.journal, entries=kept))
        sandbox.return_to(state)


def _carried_out(id: str, checkpoint: Checkpoint, items: Iterable[Item], last: Item) -> Sandbox:
    """Returns a sandbox as it was at a checkpoint, after these items, at the time of ``last``."""
    times, state = _Times(), checkpoint.state
    settings = state.initial_settings
    copy = Sandbox(id, state.world, lambda: 0, settings, monotonic=lambda: 0)
    copy.history.left = NO_CHECKPOINT
    copy.return_to(state)
    copy.clock = times.drive(checkpoint.clock)
    for item in items:
        times.set(item, copy.clock.skew)
        if item.provider:
            pipeline.respond(copy, item.provider, item.what)
            continue
        args = [times.drive(arg) if isinstance(arg, Clock) else arg for arg in item.what.args]
        with suppress(ValueError, KeyError):  # it was refused then, too
            item.what.method(copy, *args, **item.what.kwargs)
    times.set(last, copy.clock.skew)
    return copy
