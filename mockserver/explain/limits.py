"""Explanations of rate limits and bans."""

from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.explain.vocabulary import Explanation, RejectedRequest
from mockserver.model import times
from mockserver.model.provider import BanCheck, BanPolicy, Limit, Provider
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
    ban = _ban_policy(provider, facts["limit"]) if "count" not in facts else None
    if ban is not None:
        return _banned(rejected, provider, ban)
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


def _ban_policy(provider: Provider, name: str) -> BanPolicy | None:
    gates = (*provider.outer, *provider.gates)
    policies = (gate.penalty for gate in gates if isinstance(gate, BanCheck))
    return next((policy for policy in policies if policy.name == name), None)


def _banned(rejected: RejectedRequest, provider: Provider, ban: BanPolicy) -> Explanation:
    until = times.instant_text(rejected.facts["reset"])
    return Explanation(
        f"ban {provider.name}.{ban.name}",
        f"fewer than {ban.offences} rate-limited requests within {ban.within // SECOND} s",
        f"a client that kept sending while it was rate-limited, banned until {until}",
        _wait(rejected.facts),
    )
