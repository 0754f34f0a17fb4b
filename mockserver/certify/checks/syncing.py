"""Waiting for the provider: syncing portfolios and conflicts are polled, within bounds."""

from mockserver.certify.checks.common import RETRIES, rule
from mockserver.certify.judges import at_most, error, exact, exact_or_error, polls_at_most
from mockserver.certify.model import COINSTATS, MUST, SHOULD, Check, Scene

POLLS = 60
PAGE = "https://coinstats.app/api-docs, exchange status"
POLL = f"Poll with pauses, at most {POLLS} times, then raise an error that says it is syncing."

CHECKS = (
    Check(
        id="syncing-portfolio",
        about="A portfolio that is syncing at first is shown in the end.",
        level=MUST,
        providers=(COINSTATS,),
        why="The first call of every new connection answers syncing.",
        fix=POLL,
        source=PAGE,
        scene=Scene(quirks={"coinstats.sync_polls": "3"}),
        judges=(exact, at_most(RETRIES)),
    ),
    Check(
        id="syncing-for-ever",
        about="A portfolio that never ends syncing is given up after a bounded number of polls.",
        level=MUST,
        providers=(COINSTATS,),
        why="A poll without a bound is a hang that costs credits.",
        fix=POLL,
        source=PAGE,
        scene=Scene(quirks={"coinstats.sync_polls": "1000000", "coinstats.sync_after": "never"}),
        judges=(polls_at_most(POLLS), error, at_most(RETRIES)),
    ),
    Check(
        id="conflict-once",
        about="A 409 (not synced) gives the account after a pause, or an error.",
        level=MUST,
        providers=(COINSTATS,),
        why="Not synced is not empty.",
        fix=POLL,
        source="https://github.com/we-promise/sure",
        scene=Scene(rules=rule(reject="not_synced", times=1)),
        judges=(exact_or_error,),
    ),
    Check(
        id="conflict-then-succeeds",
        about="A 409 (not synced) is retried, and the read succeeds.",
        level=SHOULD,
        providers=(COINSTATS,),
        why="The answer says to come back, not that something is wrong.",
        fix=POLL,
        source="https://github.com/we-promise/sure",
        scene=Scene(rules=rule(reject="not_synced", times=1)),
        judges=(exact,),
    ),
    Check(
        id="conflict-for-ever",
        about="A 409 that does not end is given up after a bounded number of requests.",
        level=MUST,
        providers=(COINSTATS,),
        why="Each call costs ten credits.",
        fix=POLL,
        source="https://github.com/we-promise/sure",
        scene=Scene(rules=rule(reject="not_synced")),
        judges=(error, at_most(RETRIES)),
    ),
)
