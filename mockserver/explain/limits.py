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
    gate = _ban_check(provider, facts["limit"]) if "count" not in facts else None
    if gate is not None:
        return _banned(rejected, provider, gate)
    limit = next((limit for limit in limits if limit.name == facts["limit"]), None)
    if limit is None or limit.count is None:
        return None
    return _full(limit, limit.count, provider, share, facts)


def _full(
    limit: Limit, count: int, provider: Provider, share: int, facts: Mapping[str, Any]
) -> Explanation:
    allowed = count // share
    window = limit.text.partition("/")[2]
    requests = "request" if allowed == 1 else "requests"
    expected = f"at most {allowed} {requests} in {'any' if limit.rolling else 'each'} {window}"
    if share > 1:
        expected += f", 1/{share} of {count} while the caller is warned"
    since = times.instant_text(facts["reset"] - limit.window)
    return Explanation(
        f"limit {provider.name}.{limit.name}",
        expected,
        f"one request more than {allowed} since {since}",
        _wait(facts) if allowed else "Raise the limit: it allows no requests.",
    )


def _wait(facts: Mapping[str, Any]) -> str:
    seconds = -(-facts["wait"] // SECOND)
    until = times.instant_text(facts["reset"])
    return f"Wait {seconds} s, until {until} on the sandbox clock, and spread the requests out."


def _ban_check(provider: Provider, name: str) -> BanCheck | None:
    gates = (*provider.outer, *provider.gates)
    checks = (gate for gate in gates if isinstance(gate, BanCheck))
    return next((gate for gate in checks if gate.penalty.name == name), None)


def _banned(rejected: RejectedRequest, provider: Provider, gate: BanCheck) -> Explanation:
    ban, until = gate.penalty, times.instant_text(rejected.facts["reset"])
    within = f"within {ban.within // SECOND} s"
    if rejected.quirks[gate.quirk] == "requests":
        expected = f"at most {ban.offences} requests {within}"
        received = f"a client that kept sending while it was warned, banned until {until}"
    else:
        expected = f"fewer than {ban.offences} rate-limited requests {within}"
        received = f"a client that kept sending while it was rate-limited, banned until {until}"
    rule = f"ban {provider.name}.{ban.name}"
    return Explanation(rule, expected, received, _wait(rejected.facts))
