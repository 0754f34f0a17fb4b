"""Credits: what each call costs, what a key has spent, and ``GET /v1/usage/credits``.

A handler charges by a change of the ledger, so a call that is refused costs nothing.
"""

from mockserver.model.provider import Answer
from mockserver.model.reject import Reject
from mockserver.model.world import PutRecord, View

KIND = "credits spent"
SUBSCRIPTION = "PRO"

BALANCE = 10
SUPPORT = 1
STATUS = 3
SYNC = 20


def charge(view: View, cost: int) -> PutRecord:
    """Returns the change that takes the cost from the caller; raises Reject when it is short."""
    spent = _spent(view) + cost
    if spent > view.quirks["credits"]:
        raise Reject("credits_exhausted", left=view.quirks["credits"] - _spent(view))
    return PutRecord(KIND, view.credential.label, spent)


def _spent(view: View) -> int:
    spent: int = view.records.get(KIND, {}).get(view.credential.label, 0)
    return spent


def show_usage(view: View, _: None) -> Answer:
    """Tells what the caller had, has spent and has left; itself it costs nothing."""
    total, spent = view.quirks["credits"], _spent(view)
    return Answer(
        {
            "totalCredits": total,
            "usedCredits": spent,
            "remainingCredits": total - spent,
            "subscription": SUBSCRIPTION,
        }
    )
