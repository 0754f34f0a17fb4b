"""Why the gateway refused: headers, key, time, signature, address, permission."""

import re
from collections.abc import Callable, Mapping
from itertools import islice

from mockserver.explain import (
    Explanation,
    Mistake,
    RejectedRequest,
    SentValue,
    clock_drift,
    explain_unknown_key,
    match_altered_key,
    printable,
    redact_secrets,
    sent_values,
)
from mockserver.model.durations import SECOND
from mockserver.model.redaction import PUBLIC_HEADERS, is_secret_name
from mockserver.providers.cpg.auth import Key
from mockserver.providers.cpg.mistakes.signature import signature_explained
from mockserver.providers.cpg.mistakes.way import secrets_of

KEY, TIMESTAMP, SIGNATURE = "X-CPG-Key", "X-CPG-Timestamp", "X-CPG-Signature"
HEADERS = (KEY, TIMESTAMP, SIGNATURE)
VALUES_MAX = 64  # headers, parameters and members among which something is looked for
ALL_THREE = f"the headers {KEY}, {TIMESTAMP} and {SIGNATURE}, none of them empty"


def explain(refused: RejectedRequest) -> Explanation | None:
    """Returns why a request was refused, or None where that needs no knowledge of X-CPG."""
    why = WHY.get(refused.reason)
    return None if why is None else why(refused)


def _ids(refused: RejectedRequest) -> Mapping[bytes, str]:
    return {key.key_id.encode(): key.label for key in refused.keys}


def _caller(refused: RejectedRequest) -> Key | None:
    presented = refused.request.header(KEY.lower().encode())
    return next((k for k in refused.keys if k.key_id.encode() == presented), None)


# Headers

# What a name says of what it names, the first that fits.
ROLES = (
    (re.compile(r"sig|hmac|hash", re.IGNORECASE), SIGNATURE),
    (re.compile(r"time(?!out)|stamp|nonce|(?<![a-z])ts(?![a-z])", re.IGNORECASE), TIMESTAMP),
    (re.compile(r"key|auth|token", re.IGNORECASE), KEY),
)
NAMES = {name.lower() for name in HEADERS}


def _missing(refused: RejectedRequest) -> Explanation | None:
    request = refused.request
    values = {name: request.header(name.lower().encode()) for name in HEADERS}
    came = [name for name in HEADERS if values[name]]
    absent = [name for name in HEADERS if not values[name]]
    empty = [name for name in absent if (name.lower().encode(), b"") in request.headers]
    if empty:
        fix = f"Look whether the variables are set from which {', '.join(empty)} are made."
        return Explanation(f"empty {', '.join(empty)}", ALL_THREE, _list(came), fix)
    instead = _instead(refused, absent)
    if not came and not instead and any(map(_may_be_key, islice(sent_values(request), VALUES_MAX))):
        return None  # it may be another exchange's
    fixes = [f"Send {name}, not {value.place}." for name, value in instead.items()]
    fixes += [f"Send {name}." for name in absent if name not in instead]
    received = _list([*came, *(value.place for value in instead.values())])
    return Explanation(f"missing {', '.join(absent)}", ALL_THREE, received, " ".join(fixes))


def _list(names: list[str]) -> str:
    return ", ".join(names) or "none of them"


def _instead(refused: RejectedRequest, absent: list[str]) -> dict[str, SentValue]:
    """Returns what was sent instead of the headers that are not there, by their names."""
    ids = _ids(refused)
    others = [v for v in islice(sent_values(refused.request), VALUES_MAX) if _may_stand_in(v)]
    found = {name: value for name in absent for value in others[::-1] if _role(value) == name}
    keys = [value for value in others if match_altered_key(value.value, ids, whole=True)]
    if keys and KEY in absent:
        found[KEY] = keys[0]
    elif len(absent) == len(HEADERS):
        return {}  # without a key of ours they may be another exchange's
    return found


def _may_stand_in(value: SentValue) -> bool:
    plain = value.where == "header" and value.name.encode("latin-1") in PUBLIC_HEADERS
    return bool(value.value) and not plain and value.name.lower() not in NAMES


def _may_be_key(value: SentValue) -> bool:
    named = is_secret_name(value.name.encode()) or "key" in value.name.lower()
    return named and _may_stand_in(value)


def _role(value: SentValue) -> str:
    return next((header for name, header in ROLES if name.search(value.name)), "")


# The key


def _unknown(refused: RejectedRequest) -> Explanation | None:
    presented = refused.request.header(KEY.lower().encode())
    secrets = {key.secret.encode(): key.label for key in refused.keys}
    return explain_unknown_key(presented, _ids(refused), secrets, ("key id", "secret"), SECRET_SENT)


SECRET_SENT = Mistake(
    "secret for the key id",
    f"Send the key id in {KEY}; never send the secret, only sign with it.",
)


def _revoked(refused: RejectedRequest) -> Explanation:
    label = refused.facts.get("credential", "")
    return Explanation(
        "revoked key",
        "a key that is in force",
        f"the key {label}, which is revoked",
        "Use another key: a revoked one does not come back.",
    )


# The time

UNITS = (("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9))
NEAR = 366 * 24 * 3600  # seconds within which a time is taken for now in another unit
SHOWN = 80  # bytes of a timestamp
HALF_HOUR = 1800
DAY = 24 * 3600

ODD_TIMES = (
    (r"[+-]?[0-9]+\.[0-9]*", "timestamp with a fraction", "Send whole seconds, no fraction."),
    (r"-[0-9]+", "negative timestamp", "Send the seconds since 1970, which are no date before."),
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*", "timestamp is a date", "Send Unix seconds, no ISO 8601."),
    (r"[A-Z][a-z]{2}, .*", "timestamp is a date", "Send Unix seconds, no date as in HTTP."),
    (r"([\"']).*\1", "quotes around the timestamp", "Send the digits alone, without quotes."),
    (r"[0-9]+[eE][0-9.+]+|[0-9.]+[eE]\+?[0-9]+", "timestamp with an exponent", "Send an integer."),
)  # fmt: skip


def _outside(refused: RejectedRequest) -> Explanation:
    text = refused.request.header(TIMESTAMP.lower().encode())
    now = refused.auth_now // SECOND
    window = refused.quirks["timestamp_window"] // SECOND
    expected = f"Unix seconds between {now - window} and {now + window}"
    told = f"{TIMESTAMP}: {printable(redact_secrets(text, secrets_of(refused)), SHOWN)}"
    if not text.isdigit():
        return _odd_time(text, expected, told)
    if len(text) <= 20:
        for unit, size in UNITS:
            off = int(text) // size - now
            if abs(off) <= NEAR:
                rule = f"timestamp in {unit}"
                fix = f"Send whole seconds: divide by {size}."
                return Explanation(rule, expected, f"{told}, which as {unit} is {_off(off)}", fix)
    if "drift" not in refused.facts:
        return Explanation("timestamp too long", expected, told, "Send whole seconds.")
    found = clock_drift(refused, f"{window} s")
    off = refused.facts["drift"]
    return Explanation(found.rule, expected, f"{told}, {_off(off)}", found.fix + _zone(off, window))


def _off(seconds: int) -> str:
    if not seconds:
        return "right"
    return f"{abs(seconds)} s {'behind' if seconds < 0 else 'ahead of'} the exchange's clock"


def _zone(off: int, window: int) -> str:
    """Adds a hint where a drift is near a time zone's."""
    halves = round(off / HALF_HOUR)
    if halves and abs(off) < DAY and abs(off - halves * HALF_HOUR) <= min(window, 60):
        hours = halves / 2
        return f" It is off by {hours:+g} h: was local time taken for UTC, or UTC for local time?"
    return ""


def _odd_time(text: bytes, expected: str, told: str) -> Explanation:
    plain = text.decode("latin-1")
    for pattern, rule, fix in ODD_TIMES:
        if re.fullmatch(pattern, plain):
            return Explanation(rule, expected, told, fix)
    fix = "Send the seconds since 1970 as digits, nothing else."
    return Explanation("timestamp is no number", expected, told, fix)


# What comes behind the signature


def _replayed(refused: RejectedRequest) -> Explanation:
    signed = int(refused.request.header(TIMESTAMP.lower().encode()))
    age = refused.auth_now // SECOND - signed
    when = f"{age} s ago" if age > 0 else "now"
    return Explanation(
        "signature used before",
        "a signature that was not accepted before",
        f"the accepted signature of the second {signed}, {when}",
        "Two equal requests in one second have the same signature: sign each anew, with the time"
        " of its own second, or let them differ in a parameter. A retry is signed anew as well.",
    )


def _address(refused: RejectedRequest) -> Explanation:
    key = _caller(refused)
    listed = ", ".join(key.ip_whitelist) if key else "the whitelist"
    return Explanation(
        "address not on the whitelist",
        f"a call from {listed}",
        f"a call from {refused.request.peer} with the key {key.label if key else ''}",
        "Call from an address that is listed, or take another key.",
    )


def _forbidden(refused: RejectedRequest) -> Explanation:
    wanted = refused.facts.get("permission", "")
    key = _caller(refused)
    has = ", ".join(key.permissions) if key else ""
    return Explanation(
        f"permission {wanted} missing",
        f"a key with the permission {wanted}",
        f"the key {key.label if key else ''}, which has {has or 'no permission'}",
        f"Give the key the permission {wanted}, or use one that has it.",
    )


WHY: Mapping[str, Callable[[RejectedRequest], Explanation | None]] = {
    "missing_credential": _missing,
    "unknown_credential": _unknown,
    "revoked_credential": _revoked,
    "outside_window": _outside,
    "bad_signature": signature_explained,
    "replayed": _replayed,
    "ip_not_allowed": _address,
    "forbidden": _forbidden,
}
