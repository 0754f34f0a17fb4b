"""The state of a sandbox as a value, made of those of its parts.

Rows, records and credentials are shared with the sandbox, which copies what it changes next.
"""

from msgspec import Struct

from mockserver.engine.clock import ClockState
from mockserver.engine.journal import JournalState
from mockserver.engine.provider_state import ProviderStateValue
from mockserver.engine.settings import Settings
from mockserver.engine.world import World
from mockserver.faults.matching import RuleState
from mockserver.faults.scenario import Scenario

STATE_SIZE = 8_000  # bytes of a state, beside what depends on what the sandbox holds
RULE_SIZE = 400
CALLER_SIZE = 150


class SandboxState(Struct, frozen=True):
    """A sandbox at one moment: nothing in it changes any more.

    ``before`` are the settings and the skew before the scenario, ``journal`` is None where the
    state has none. ``size`` is an estimate of the bytes that it alone takes.
    """

    world: World
    initial_settings: Settings
    initial_scenario: Scenario | None
    settings: Settings
    scenario: Scenario | None
    before: tuple[Settings, int]
    clock: ClockState
    rules: tuple[RuleState, ...]
    providers: dict[str, ProviderStateValue]
    journal: JournalState | None = None

    @property
    def size(self) -> int:
        """The bytes that it alone takes, estimated."""
        parts = self.providers.values()
        callers = sum(len(w.counts) + len(w.times) for part in parts for w in part.windows.values())
        callers += sum(len(bans) for part in parts for bans in part.bans.values())
        own = sum(part.ledger.size for part in parts)
        entries = sum(entry.size for entry in self.journal.entries) if self.journal else 0
        return STATE_SIZE + RULE_SIZE * len(self.rules) + CALLER_SIZE * callers + own + entries
