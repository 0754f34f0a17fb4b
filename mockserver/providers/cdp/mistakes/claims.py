"""What a token says that is wrong: who calls, and from when to when.

Which request it is for, ``uris`` judges.
"""

from typing import Any

from mockserver.explain import Explanation, RejectedRequest
from mockserver.model import durations as duration
from mockserver.model import instants as moment
from mockserver.model.durations import SECOND
from mockserver.providers.cdp.claims import ISSUER, LATEST, LEEWAY
from mockserver.providers.cdp.mistakes import uris
from mockserver.providers.cdp.mistakes.names import caller, kind, named, presented

# Issuers that other samples and versions name; any other text might be a secret.
ISSUERS = ("coinbase-cloud", "coinbase", "cdp_service", "CDP", "Cdp", "")

# By how many of them make a second, from the likeliest.
UNITS = {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
ENDLESS = 10**20
NOWADAYS = 366 * 86_400  # seconds from now within which a time is meant
SHORT = 86_400  # seconds; a smaller time is a duration
ZONE = 3600  # seconds between time zones
ZONES = 14
SLOW = 60  # seconds that a request may take


def said(refused: RejectedRequest) -> Explanation:
    """Explains the claim that was refused first."""
    claim = refused.facts["claim"]
    if claim == "uris":
        return uris.explain(refused)
    claims = presented(refused).claims
    if claim == "iss":
        return _issuer(refused, claims)
    if claim == "sub":
        return _subject(refused, claims)
    return _time(refused, claim, claims.get(claim))


# Who calls


def _issuer(refused: RejectedRequest, claims: Any) -> Explanation:
    fix = f"Set iss to {ISSUER}."
    if claims.get("iss") is None:
        return Explanation("iss missing", f"iss {ISSUER}", "no iss", fix)
    told = _text(refused, claims["iss"])
    return Explanation(f"iss is not {ISSUER}", f"iss {ISSUER}", f"iss {told}", fix)


def _subject(refused: RejectedRequest, claims: Any) -> Explanation:
    key = caller(refused)
    expected = f"sub {key.key_id}, the key id that kid names"
    fix = "Set sub to the key id that is the header's kid."
    if claims.get("sub") is None:
        return Explanation("sub missing", expected, "no sub", fix)
    told = _text(refused, claims["sub"])
    return Explanation("sub differs from kid", expected, f"sub {told}", fix)


def _text(refused: RejectedRequest, value: Any) -> str:
    if not isinstance(value, str):
        return kind(value)
    return repr(value) if value in ISSUERS else named(refused, value)


# When


def _time(refused: RejectedRequest, name: str, value: Any) -> Explanation:
    """Explains a time that is none."""
    expected = f"{name} in whole seconds since 1970, about {refused.auth_now // SECOND}"
    fix = f"Set {name} to seconds since 1970, as a number."
    if value is None:
        return Explanation(f"{name} missing", expected, f"no {name}", fix)
    if type(value) not in (int, float):
        return Explanation(f"{name} is no number", expected, kind(value), fix)
    unit = _unit(value, refused.auth_now)
    if unit:
        fix = f"Divide {name} by {UNITS[unit]}."
        return Explanation(f"{unit} for seconds", expected, f"{name} {value}", fix)
    told = str(value)[:40]
    return Explanation(f"{name} is no time", expected, f"{name} {told}", fix)


def _unit(value: float, now: int) -> str:
    """Returns the unit in which a time is near the present, or nothing."""
    seconds = now // SECOND
    near = (u for u, size in UNITS.items() if abs(value / size - seconds) < NOWADAYS)
    return next(near, "") if LATEST <= value < ENDLESS else ""


def expired(refused: RejectedRequest) -> Explanation:
    """Explains a token that is not good any more."""
    claims, now = presented(refused).claims, refused.auth_now
    ends = claims["exp"]
    expected = f"an exp at most {_leeway(refused)} before {_shown(now)}"
    if ends < SHORT:
        fix = f"Set exp to the time at which the token ends: now + {_seconds(ends)}."
        return Explanation("duration for exp", expected, f"exp {_seconds(ends)}", fix)
    told = f"exp {_seconds(ends)}, {-refused.facts['drift']} s before the exchange's time"
    fix = "Make a new token for each request; where this one was new, set the clock."
    made = next((claims[n] for n in ("iat", "nbf") if claims.get(n) is not None), None)
    if made is not None:
        told += f"; made {now // SECOND - int(made)} s ago"
        fix += _zone(now // SECOND - int(made))
    return Explanation("token expired", expected, told, fix)


def outside(refused: RejectedRequest) -> Explanation:
    """Explains a token that is not good yet, or for too long."""
    claims, now = presented(refused).claims, refused.auth_now
    if "drift" not in refused.facts:
        return _too_long(refused, claims)
    name = max(("nbf", "iat"), key=lambda n: claims.get(n) or 0)
    drift = refused.facts["drift"]
    return Explanation(
        "token not valid yet",
        f"{name} at most {_leeway(refused)} after {_shown(now)}",
        f"{name} {_seconds(claims[name])}, {drift} s ahead of the exchange's time",
        "Set the clock, or make tokens with the time of the exchange's Date header."
        + _zone(-drift),
    )


def _too_long(refused: RejectedRequest, claims: Any) -> Explanation:
    most = refused.quirks["max_token_lifetime"]
    names = [name for name in ("iat", "nbf") if claims.get(name) is not None]
    since = claims[names[0]] if names else refused.auth_now // SECOND
    start = names[0] if names else "now"
    return Explanation(
        "lifetime too long",
        f"exp at most {duration.duration_text(most)} after {start}",
        f"exp {_seconds(claims['exp'])}, {_seconds(claims['exp'] - since)} s after {start}",
        f"Set exp to {start} + {most // SECOND}, and {start} to the present.",
    )


def _leeway(refused: RejectedRequest) -> str:
    return duration.duration_text(0 if refused.quirks["strict_claims"] == "true" else LEEWAY)


def _shown(now: int) -> str:
    return f"{now // SECOND} ({moment.instant_text(now // SECOND * SECOND)})"


def _seconds(time: float) -> str:
    return f"{time:.3f}".rstrip("0").rstrip(".") if isinstance(time, float) else str(time)


def _zone(late: int) -> str:
    """Returns a question where a time is off by what lies between time zones."""
    zones = round(late / ZONE)
    if not 0 < abs(zones) <= ZONES or abs(late - zones * ZONE) > SLOW:
        return ""
    return f" It is off by {abs(zones)} h: was local time taken for UTC?"
