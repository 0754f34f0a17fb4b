"""Explains a bad claim: who calls, when the token is valid, and the request it is for."""

from typing import Any

from mockserver.explain import (
    Explanation,
    RejectedRequest,
    first_explanation,
    smaller_unit,
    zone_hint,
)
from mockserver.model.rule_table import Rule
from mockserver.model.times import SECOND, duration_text, instant_text
from mockserver.providers.cdp.claims import accepted_issuers, leeway_of
from mockserver.providers.cdp.mistakes import lookup
from mockserver.providers.cdp.mistakes.uris import explain_uris

# Issuers that other samples and versions use; any other text might be a secret.
KNOWN_ISSUERS = ("coinbase-cloud", "coinbase", "cdp_service", "CDP", "Cdp", "")

MISSING = Rule("{name} missing", lambda c: c.value is None, received="no {name}")
FIX_TIME = "Set {name} to seconds since 1970, as a number."

TIME = (
    MISSING,
    Rule("{name} is not a number", lambda c: not c.is_number),
    Rule("{match[0]} instead of seconds", lambda c: c.unit, "Divide {name} by {match[1]}."),
    Rule("{name} is not a time", lambda c: True, FIX_TIME, "{name} {shown}", "{name} about {now}"),
)
FIX_SUB = "Set sub to the key id in the header's kid."

CALLER = {
    "iss": (
        MISSING,
        Rule("unexpected iss", lambda c: True, "Set iss to cdp.", "iss {shown}", "iss {issuers}"),
    ),
    "sub": (
        MISSING,
        Rule("sub differs from kid", lambda c: True, FIX_SUB, "sub {shown}", "sub {key_id}"),
    ),
}


def explain_claim(rejected: RejectedRequest) -> Explanation | None:
    """Explains the first bad claim, named by the fact ``claim``."""
    name = rejected.facts["claim"]
    if name == "uris":
        return explain_uris(rejected)
    value: Any = lookup.read_token(rejected).claims.get(name)
    is_number, now = type(value) in (int, float), rejected.auth_now // SECOND
    return first_explanation(
        CALLER.get(name, TIME),
        name=name,
        value=value,
        shown=_show(rejected, name, value),
        now=now,
        is_number=is_number,
        unit=is_number and smaller_unit(value, now),
        issuers=" or ".join(accepted_issuers(rejected.quirks)),
        key_id=lookup.key_of_token(rejected).key_id,
    )


def _show(rejected: RejectedRequest, name: str, value: Any) -> str:
    if type(value) in (int, float):
        return str(value)[:40]
    if name not in CALLER or not isinstance(value, str):
        return lookup.json_type(value)
    return repr(value) if value in KNOWN_ISSUERS else lookup.describe_value(rejected, value)


# The time

DURATION_MAX = 86_400  # seconds; a smaller exp is a duration

TIMES = (
    Rule(
        "exp is a duration",
        lambda t: t.is_expired and t.exp < DURATION_MAX,
        "Set exp to the time when the token expires: now + {exp:.13g}.",
        "exp {exp:.13g}",
        "an exp at most {leeway} before {now}",
    ),
    Rule(
        "token expired",
        lambda t: t.is_expired,
        "Make a new token for each request; if this one was new, set the clock.{zone}",
        "exp {exp:.13g}, {drift} s before the exchange's time{issued}",
        "an exp at most {leeway} before {now}",
    ),
    Rule(
        "token not valid yet",
        lambda t: t.drift is not None,
        "Set the clock, or use the time of the exchange's Date header.{zone}",
        "{latest} {latest_time:.13g}, {drift} s ahead of the exchange's time",
        "{latest} at most {leeway} after {now}",
    ),
    Rule(
        "lifetime too long",
        lambda t: True,
        "Set exp to at most {longest} after {start}, and {start} to the current time.",
        "exp {exp:.13g}, {lifetime:.13g} s after {start}",
        "exp at most {longest} after {start}",
    ),
)


def explain_time(rejected: RejectedRequest) -> Explanation | None:
    """Explains a token that is expired, not valid yet, or valid for too long."""
    claims, now = lookup.read_token(rejected).claims, rejected.auth_now // SECOND
    times = {name: claims[name] for name in ("iat", "nbf") if claims.get(name) is not None}
    start, since = next(iter(times.items()), ("now", now))
    latest = max(times, key=lambda name: times[name], default="now")
    is_expired, age = rejected.reason == "expired", now - int(since)
    drift = rejected.facts.get("drift")
    return first_explanation(
        TIMES,
        is_expired=is_expired,
        exp=claims["exp"],
        drift=drift and abs(drift),
        start=start,
        issued=f"; issued {age} s ago" if times else "",
        lifetime=claims["exp"] - since,
        latest=latest,
        latest_time=times.get(latest, now),
        zone=zone_hint(-age if is_expired else drift or 0),
        leeway=duration_text(leeway_of(rejected.quirks)),
        longest=duration_text(rejected.quirks["max_token_lifetime"]),
        now=f"{now} ({instant_text(now * SECOND)})",
    )
