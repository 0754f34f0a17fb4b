"""Explains claims about the caller and the time of a token; ``uris.py`` explains ``uris``."""

from typing import Any

from mockserver.explain import Explanation, RejectedRequest
from mockserver.model.rule_table import Rule, first_rule
from mockserver.model.times import SECOND, duration_text, instant_text
from mockserver.providers.cdp.claims import TIME_MAX, accepted_issuers, leeway_of
from mockserver.providers.cdp.mistakes import uris
from mockserver.providers.cdp.mistakes.lookup import (
    describe_value,
    json_type,
    key_of_token,
    read_token,
)

# Issuers that other samples and versions use; any other text might be a secret.
KNOWN_ISSUERS = ("coinbase-cloud", "coinbase", "cdp_service", "CDP", "Cdp", "")

# Units per second, the likeliest first.
UNITS = {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
CONVERTIBLE_MAX = 10**20  # larger numbers are no time in any unit
NEAR_NOW = 366 * 86_400  # seconds around now in which a converted time is plausible
DURATION_MAX = 86_400  # seconds; a smaller exp is a duration
ZONE = 3600  # seconds between time zones
ZONES_MAX = 14
ZONE_TOLERANCE = 60  # seconds that a request may take


def _unit(value: Any, now: int) -> str:
    """Returns the unit in which a value is near ``now`` (nanoseconds), or an empty string."""
    if type(value) not in (int, float):
        return ""
    seconds = now // SECOND
    near = (u for u, size in UNITS.items() if abs(value / size - seconds) < NEAR_NOW)
    return next(near, "") if TIME_MAX <= value < CONVERTIBLE_MAX else ""


# Rows with a test of a claim and of the time; the braces are filled in.
FIX_TIME = "Set {name} to seconds since 1970, as a number."
TIME_RULES = (
    Rule("{name} missing", lambda value, now: value is None, FIX_TIME, "no {name}"),
    Rule(
        "{name} is not a number",
        lambda value, now: type(value) not in (int, float),
        FIX_TIME,
        "{type}",
    ),
    Rule(
        "{unit} instead of seconds",
        _unit,
        "Divide {name} by {size}.",
        "{name} {value}",
    ),
    Rule("{name} is not a time", lambda value, now: True, FIX_TIME, "{name} {value}"),
)


def _caller_rules(rule: str, fix: str) -> tuple[Rule, Rule]:
    return (
        Rule("{name} missing", lambda value, now: value is None, fix, "no {name}"),
        Rule(rule, lambda value, now: True, fix, "{name} {text}"),
    )


# Expected value and rows by claim.
CLAIMS = {
    "iss": ("iss {issuers}", _caller_rules("unexpected iss", "Set iss to cdp.")),
    "sub": (
        "sub {key_id}, the key id that kid names",
        _caller_rules("sub differs from kid", "Set sub to the key id in the header's kid."),
    ),
}
TIME = ("{name} in whole seconds since 1970, about {seconds}", TIME_RULES)


def explain_claim(rejected: RejectedRequest) -> Explanation:
    """Explains the first bad claim, named by the fact ``claim``."""
    name = rejected.facts["claim"]
    if name == "uris":
        return uris.explain_uris(rejected)
    value, now = read_token(rejected).claims.get(name), rejected.auth_now
    expected, table = CLAIMS.get(name, TIME)
    row = first_rule(table, value, now) or table[-1]
    unit = _unit(value, now)
    texts = {
        "name": name,
        "value": str(value)[:40],
        "type": json_type(value),
        "text": _describe_claim(rejected, value),
        "unit": unit,
        "size": UNITS.get(unit, 0),
        "seconds": now // SECOND,
        "key_id": key_of_token(rejected).key_id,
        "issuers": " or ".join(accepted_issuers(rejected.quirks)),
    }
    filled = (text.format(**texts) for text in (row.name, expected, row.received, row.fix))
    return Explanation(*filled)


def _describe_claim(rejected: RejectedRequest, value: Any) -> str:
    if not isinstance(value, str):
        return json_type(value)
    return repr(value) if value in KNOWN_ISSUERS else describe_value(rejected, value)


# The time


def explain_expired(rejected: RejectedRequest) -> Explanation:
    """Explains an expired token."""
    claims, now = read_token(rejected).claims, rejected.auth_now
    expires = claims["exp"]
    expected = f"an exp at most {_leeway(rejected)} before {_time_text(now)}"
    if expires < DURATION_MAX:
        fix = f"Set exp to the time when the token expires: now + {_seconds(expires)}."
        return Explanation("exp is a duration", expected, f"exp {_seconds(expires)}", fix)
    late = -rejected.facts["drift"]
    received = f"exp {_seconds(expires)}, {late} s before the exchange's time"
    fix = "Make a new token for each request; if this one was new, set the clock."
    issued = next((claims[n] for n in ("iat", "nbf") if claims.get(n) is not None), None)
    if issued is not None:
        age = now // SECOND - int(issued)
        received += f"; issued {age} s ago"
        fix += _zone_hint(age)
    return Explanation("token expired", expected, received, fix)


def explain_outside_window(rejected: RejectedRequest) -> Explanation:
    """Explains a token that is not valid yet, or for too long."""
    claims, now = read_token(rejected).claims, rejected.auth_now
    if "drift" not in rejected.facts:
        return _explain_lifetime(rejected, claims)
    name = max(("nbf", "iat"), key=lambda n: claims.get(n) or 0)
    drift = rejected.facts["drift"]
    return Explanation(
        "token not valid yet",
        f"{name} at most {_leeway(rejected)} after {_time_text(now)}",
        f"{name} {_seconds(claims[name])}, {drift} s ahead of the exchange's time",
        "Set the clock, or make tokens with the time of the exchange's Date header."
        + _zone_hint(-drift),
    )


def _explain_lifetime(rejected: RejectedRequest, claims: Any) -> Explanation:
    longest = rejected.quirks["max_token_lifetime"]
    names = [name for name in ("iat", "nbf") if claims.get(name) is not None]
    since = claims[names[0]] if names else rejected.auth_now // SECOND
    start = names[0] if names else "now"
    return Explanation(
        "lifetime too long",
        f"exp at most {duration_text(longest)} after {start}",
        f"exp {_seconds(claims['exp'])}, {_seconds(claims['exp'] - since)} s after {start}",
        f"Set exp to {start} + {longest // SECOND}, and {start} to the current time.",
    )


def _leeway(rejected: RejectedRequest) -> str:
    return duration_text(leeway_of(rejected.quirks))


def _time_text(now: int) -> str:
    return f"{now // SECOND} ({instant_text(now // SECOND * SECOND)})"


def _seconds(time: float) -> str:
    return f"{time:.3f}".rstrip("0").rstrip(".") if isinstance(time, float) else str(time)


def _zone_hint(late: int) -> str:
    """Returns a question if ``late`` (seconds) is about a whole number of hours."""
    hours = round(late / ZONE)
    if not 0 < abs(hours) <= ZONES_MAX or abs(late - hours * ZONE) > ZONE_TOLERANCE:
        return ""
    return f" It is off by {abs(hours)} h: is it local time instead of UTC?"
