"""Credits: the cost of each call, the spending of each key, and ``GET /v1/usage/credits``.

A handler charges by a change of the ledger, so a rejected call costs nothing.
"""

from mockserver.model.provider import Answer
from mockserver.model.reject import Reject
from mockserver.model.world import PutRecord, View

KIND = "credits spent"
RECORDS = {KIND: dict[str, int]}
SUBSCRIPTION = "PRO"  # fact: coinstats-usage-subscription

# Credits.
BALANCE_COST = 10  # fact: coinstats-cost-of-balance
# fact: coinstats-cost-of-siblings
SUPPORT_COST = 1
STATUS_COST = 3
SYNC_COST = 20


def charge(view: View, cost: int) -> PutRecord:
    """Returns the change that charges the caller; raises Reject where too few credits are left."""
    spent = _spent(view) + cost
    if spent > view.quirks["credits"]:
        raise Reject("credits_exhausted", left=view.quirks["credits"] - _spent(view))
    # fact: coinstats-cost-of-failure, coinstats-credits-per-key, coinstats-credits-not-renewed
    return PutRecord(KIND, view.credential.label, spent)


def _spent(view: View) -> int:
    spent: int = view.records.get(KIND, {}).get(view.credential.label, 0)
    return spent


def show_usage(view: View, _: None) -> Answer:
    """Returns the caller's credits in all, spent and left; free of charge."""
    total, spent = view.quirks["credits"], _spent(view)
    # fact: coinstats-usage, coinstats-cost-of-usage
    return Answer(
        {
            "totalCredits": total,
            "usedCredits": spent,
            "remainingCredits": total - spent,
            "subscription": SUBSCRIPTION,
        }
    )
