"""The types of a certification: checks, what a client returned, and verdicts."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from mockserver.client.journal import JournalEntry

Level = Literal["must", "should"]
MUST: Level = "must"
SHOULD: Level = "should"

PASS = "pass"  # noqa: S105 - a verdict
FAIL = "fail"
EXPECTED_FAILURE = "expected_failure"
WARNING = "warning"
NOT_APPLICABLE = "not_applicable"
SKIPPED = "skipped"
HARNESS_ERROR = "harness_error"
TOO_SLOW = "too_slow_to_tell"
VERDICTS = (
    *(PASS, FAIL, EXPECTED_FAILURE, WARNING),
    *(NOT_APPLICABLE, SKIPPED, HARNESS_ERROR, TOO_SLOW),
)
REACHED = (PASS, FAIL, EXPECTED_FAILURE, WARNING)  # the verdicts of a check that was carried out

CDP, COINAPI, COINSTATS, COINW, CPG = "cdp", "coinapi", "coinstats", "coinw", "cpg"
ALL = (CDP, COINAPI, COINSTATS, COINW, CPG)

Rules = tuple[Mapping[str, Any], ...]  # keywords of ``ProviderHandle.fail``


class NotApplicable(Exception):
    """A check that says nothing about this client, with the reason."""


class Row(Struct, frozen=True):
    """One balance. ``names`` are the symbols that are accepted, in lower case."""

    names: frozenset[str]
    total: Decimal
    available: Decimal | None = None
    held: Decimal | None = None
    network: str | None = None
    exchange: str | None = None

    @property
    def name(self) -> str:
        """The symbol, with network and exchange, for messages."""
        return "/".join(filter(None, ("|".join(sorted(self.names)), self.network, self.exchange)))


class Outcome(Struct, frozen=True, kw_only=True):
    """What a client did in one run.

    ``rows`` is None when it ended with ``error``. ``problem`` says what is wrong with the form
    of its output. ``stopped`` says why the run was ended, empty when the client ended by itself.
    ``output`` and ``error_output`` are bounded; ``seconds`` is real time.
    """

    rows: list[Row] | None = None
    error: str = ""
    problem: str = ""
    stopped: Literal["", "time", "requests"] = ""
    status: int | None = None
    output: str = ""
    error_output: str = ""
    seconds: float = 0
    known: bool = True  # False when a person ran the client and gave no result

    @property
    def text(self) -> str:
        """Everything that the client wrote, for the search for secrets."""
        return f"{self.error}\n{self.output}\n{self.error_output}"


class Stage(Struct, frozen=True, kw_only=True):
    """What a client gets: interfaces.md, "Certify: what a client gets and gives".

    ``sleep`` lets the sandbox clock pass instead of real time. ``filters`` are set in the checks
    about filters alone: ``currency`` for cpg, ``exchange`` for coinapi.
    """

    provider: str
    base_url: str
    credentials: dict[str, Any]
    account: str
    check: str
    time_limit: float
    sleep: Callable[[float], None]
    filters: dict[str, str] = {}


class Evidence(Struct, frozen=True, kw_only=True):
    """What a judge sees: the runs, the journal, and the rows of the ledger."""

    provider: str
    outcomes: list[Outcome]
    journal: list[JournalEntry]
    expected: list[Row]
    secrets: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The first run."""
        return self.outcomes[0]


Judge = Callable[[Evidence], str]  # returns what is wrong, or an empty text


class Scene(Struct, frozen=True, kw_only=True):
    """The state in which a client meets the server.

    ``rules`` are keywords of ``ProviderHandle.fail``; ``rules_for`` are those of one provider,
    in their place. ``rows(provider)`` replaces the rows of the account; ``{elsewhere}`` in a
    rule is the provider's base URL under another host name. ``runs`` is how many clients run at
    once.
    """

    rules: Rules = ()
    rules_for: Mapping[str, Rules] = {}
    account: str = "main"
    rows: Callable[[str], list[dict[str, Any]]] | None = None
    quirks: Mapping[str, str] = {}
    skew: str = ""
    filters: Mapping[str, Mapping[str, str]] = {}
    runs: int = 1


class Check(Struct, frozen=True, kw_only=True):
    """One requirement on clients.

    ``about`` is one sentence; ``source`` is the public report or the page it comes from. The
    first judge that finds something wrong decides.
    """

    id: str
    about: str
    level: Level
    why: str
    fix: str
    source: str
    judges: tuple[Judge, ...]
    scene: Scene = Scene()
    providers: tuple[str, ...] = ALL


class Result(Struct, frozen=True, kw_only=True):
    """The verdict of a check; ``complaint`` is what is wrong, or why there is no verdict."""

    check: Check
    verdict: str
    complaint: str = ""
    outcome: Outcome = Outcome()
    journal: list[JournalEntry] = []
    scores: bool = True
