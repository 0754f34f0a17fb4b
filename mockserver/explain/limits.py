"""Explanations of rate limits and bans."""

from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.explain.vocabulary import Explanation, RejectedRequest
from mockserver.model import times
from mockserver.model.provider import BanCheck, Limit, Provider
from mockserver.model.times import SECOND


def rate_limited(
    rejected: RejectedRequest, provider: Provider, limits: Sequence[Limit], share: int
) -> Explanation | None:
    """Explains a full limit or a ban; None where the reject does not name one.

    ``limits`` are those in force; a caller with a warning has 1/``share`` of each.
    """
    facts = rejected.facts
    if "reset" not in facts:
        return None
    if "count" not in facts:
        for gate in (*provider.outer, *provider.gates):
            if isinstance(gate, BanCheck) and gate.penalty.name == facts["limit"]:
                return _banned(rejected, provider, gate)
    limit = next((limit for limit in limits if limit.name == facts["limit"]), None)
    if limit is None or limit.count is None:
        return None
    allowed = limit.count // share
    requests = "request" if allowed == 1 else "requests"
    window = f"{'any' if limit.rolling else 'each'} {limit.text.partition('/')[2]}"
    warned = f", 1/{share} of {limit.count} while the caller is warned" if share > 1 else ""
    since = times.instant_text(facts["reset"] - limit.window)
    return Explanation(
        f"limit {provider.name}.{limit.name}",
        f"at most {allowed} {requests} in {window}{warned}",
        f"one request more than {allowed} since {since}",
        _wait(facts) if allowed else "Raise the limit: it allows no requests.",
    )


def _banned(rejected: RejectedRequest, provider: Provider, gate: BanCheck) -> Explanation:
    ban, until = gate.penalty, times.instant_text(rejected.facts["reset"])
    expected, cause = f"fewer than {ban.offences} rate-limited requests", "rate-limited"
    if rejected.quirks[gate.quirk] == "requests":
        expected, cause = f"at most {ban.offences} requests", "warned"
    return Explanation(
        f"ban {provider.name}.{ban.name}",
        f"{expected} within {ban.within // SECOND} s",
        f"a client that kept sending while it was {cause}, banned until {until}",
        _wait(rejected.facts),
    )


def _wait(facts: Mapping[str, Any]) -> str:
    seconds = -(-facts["wait"] // SECOND)
    until = times.instant_text(facts["reset"])
    return f"Wait {seconds} s, until {until} on the sandbox clock, and spread the requests out."
