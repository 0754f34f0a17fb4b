"""Explains claims about the caller and the time of a token; ``uris.py`` explains ``uris``."""

from typing import Any

from mockserver.explain import Explanation, RejectedRequest
from mockserver.model.times import SECOND, duration_text, instant_text
from mockserver.providers.cdp.claims import ISSUER, LEEWAY, TIME_MAX
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


def explain_claim(rejected: RejectedRequest) -> Explanation:
    """Explains the first bad claim, named by the fact ``claim``."""
    claim = rejected.facts["claim"]
    if claim == "uris":
        return uris.explain_uris(rejected)
    claims = read_token(rejected).claims
    if claim == "iss":
        return _explain_issuer(rejected, claims)
    if claim == "sub":
        return _explain_subject(rejected, claims)
    return _explain_bad_time(rejected, claim, claims.get(claim))


# The caller


def _explain_issuer(rejected: RejectedRequest, claims: Any) -> Explanation:
    fix = f"Set iss to {ISSUER}."
    if claims.get("iss") is None:
        return Explanation("iss missing", f"iss {ISSUER}", "no iss", fix)
    issuer = _describe_claim(rejected, claims["iss"])
    return Explanation(f"iss is not {ISSUER}", f"iss {ISSUER}", f"iss {issuer}", fix)


def _explain_subject(rejected: RejectedRequest, claims: Any) -> Explanation:
    key = key_of_token(rejected)
    expected = f"sub {key.key_id}, the key id that kid names"
    fix = "Set sub to the key id in the header's kid."
    if claims.get("sub") is None:
        return Explanation("sub missing", expected, "no sub", fix)
    subject = _describe_claim(rejected, claims["sub"])
    return Explanation("sub differs from kid", expected, f"sub {subject}", fix)


def _describe_claim(rejected: RejectedRequest, value: Any) -> str:
    if not isinstance(value, str):
        return json_type(value)
    return repr(value) if value in KNOWN_ISSUERS else describe_value(rejected, value)


# The time


def _explain_bad_time(rejected: RejectedRequest, name: str, value: Any) -> Explanation:
    """Explains a claim that is not a time in seconds."""
    expected = f"{name} in whole seconds since 1970, about {rejected.auth_now // SECOND}"
    fix = f"Set {name} to seconds since 1970, as a number."
    if value is None:
        return Explanation(f"{name} missing", expected, f"no {name}", fix)
    if type(value) not in (int, float):
        return Explanation(f"{name} is not a number", expected, json_type(value), fix)
    unit = _unit(value, rejected.auth_now)
    if unit:
        fix = f"Divide {name} by {UNITS[unit]}."
        return Explanation(f"{unit} instead of seconds", expected, f"{name} {value}", fix)
    return Explanation(f"{name} is not a time", expected, f"{name} {str(value)[:40]}", fix)


def _unit(value: float, now: int) -> str:
    """Returns the unit in which a value is near ``now`` (nanoseconds), or an empty string."""
    seconds = now // SECOND
    near = (u for u, size in UNITS.items() if abs(value / size - seconds) < NEAR_NOW)
    return next(near, "") if TIME_MAX <= value < CONVERTIBLE_MAX else ""


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
    return duration_text(0 if rejected.quirks["strict_claims"] == "true" else LEEWAY)


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
