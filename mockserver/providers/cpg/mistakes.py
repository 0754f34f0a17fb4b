"""Explains what the gateway rejects: headers, key, time, signature, address, permission."""

import re
from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from mockserver.explain import (
    Explainer,
    Explanation,
    Mistake,
    RejectedRequest,
    by_reason,
    printable,
    redact_secrets,
    smaller_unit,
    zone_hint,
)
from mockserver.explain.attempts import Attempt
from mockserver.explain.part_mistakes import REWRITTEN_BODY_MAX
from mockserver.explain.plain_keys import explain_unknown_key
from mockserver.explain.signature import explain_signature, secret_labels
from mockserver.model.rule_table import KeyRules, Rule, first_rule
from mockserver.model.times import SECOND
from mockserver.providers.cpg.auth import RECIPE, Key

TIMESTAMP = "X-CPG-Timestamp"
KEY_RULES = KeyRules(places=(RECIPE.key_at,), key="key_id", secret="secret", name="key id")  # noqa: S106


def _caller(rejected: RejectedRequest) -> Key:
    key: Key = rejected.keyring.find(RECIPE.key_at.reader()(rejected.request))
    return key


# The time

SHOWN_MAX = 80  # bytes of a timestamp that are shown
DIGITS_MAX = 20  # of a timestamp that is read in other units

MALFORMED_TIMES = tuple(
    Rule(name, re.compile(pattern).fullmatch, fix)
    for pattern, name, fix in (
        (r"[+-]?[0-9]+\.[0-9]*", "timestamp with a fraction", "Send whole seconds, no fraction."),
        (r"-[0-9]+", "negative timestamp", "Send the seconds since 1970, a positive number."),
        (r"\d{4}-\d{2}-\d{2}.*", "timestamp is a date", "Send Unix seconds, not ISO 8601."),
        (r"[A-Z][a-z]{2}, .*", "timestamp is a date", "Send Unix seconds, not an HTTP date."),
        (r"([\"']).*\1", "quotes around the timestamp", "Send the digits alone, without quotes."),
        (r"\d+[eE][\d.+]+|[\d.]+[eE]\+?\d+", "timestamp with an exponent", "Send an integer."),
        (r"[0-9]{16,}", "timestamp too long", "Send whole seconds."),
        (r"(?s).*", "timestamp is no number", "Send the seconds since 1970 as digits alone."),
    )
)


def _explain_timestamp(rejected: RejectedRequest) -> Explanation | None:
    text = rejected.request.header(TIMESTAMP.lower().encode())
    now = rejected.auth_now // SECOND
    window = rejected.quirks["timestamp_window"] // SECOND
    expected = f"Unix seconds between {now - window} and {now + window}"
    shown = printable(redact_secrets(text, secret_labels(rejected, RECIPE)), SHOWN_MAX)
    received = f"{TIMESTAMP}: {shown}"
    is_number = text.isdigit() and len(text) <= DIGITS_MAX
    other_unit = smaller_unit(int(text), now) if is_number else None
    if other_unit is not None:
        unit, size, drift = other_unit
        drift = 0 if drift == -1 else drift  # a second may pass while a request is sent
        received = f"{received}, which as {unit} is {_drift_text(drift)}"
        fix = f"Send whole seconds: divide by {size}."
        return Explanation(f"timestamp in {unit}", expected, received, fix)
    if "drift" in rejected.facts:
        drift = rejected.facts["drift"]
        fix = "Set the clock, or sign with the time of the exchange's Date header."
        received = f"{received}, {_drift_text(drift)}"
        return Explanation("clock drift", expected, received, fix + zone_hint(drift, window))
    row = first_rule(MALFORMED_TIMES, text.decode("latin-1"))
    return Explanation(row.name, expected, received, row.fix) if row else None


def _drift_text(seconds: int) -> str:
    """Returns a drift in words."""
    side = "behind" if seconds < 0 else "ahead of"
    return f"{abs(seconds)} s {side} the exchange's clock" if seconds else "right"


# The signature


def _webhook_string(attempt: Attempt) -> list[Attempt]:
    """Signs as the gateway signs its own webhooks: the timestamp, and the body itself."""
    body = attempt.of.request.body
    if len(body) > REWRITTEN_BODY_MAX:
        return []
    parts = ((b"timestamp", attempt["timestamp"]), (b"body", body))
    return [replace(attempt, parts=parts)]


OWN = (Mistake("the webhooks' string signed", "parts", _webhook_string, no_pairs=True),)


# Checks after the signature


def _explain_replay(rejected: RejectedRequest) -> Explanation:
    signed = int(rejected.request.header(TIMESTAMP.lower().encode()))
    age = rejected.auth_now // SECOND - signed
    when = f"{age} s ago" if age > 0 else "now"
    return Explanation(
        "signature used before",
        "a signature that was not accepted before",
        f"the accepted signature of the second {signed}, {when}",
        "Two equal requests in one second have the same signature: sign each in a second of its"
        " own, or let them differ in a parameter. Sign a retry again, too.",
    )


def _explain_address(rejected: RejectedRequest) -> Explanation:
    key = _caller(rejected)
    return Explanation(
        "address not on the whitelist",
        f"a call from {', '.join(key.ip_whitelist)}",
        f"a call from {rejected.request.peer} with the key {key.label}",
        "Call from a listed address, or use another key.",
    )


def _explain_permission(rejected: RejectedRequest) -> Explanation:
    key, permission = _caller(rejected), rejected.facts["permission"]
    return Explanation(
        f"permission {permission} missing",
        f"a key with the permission {permission}",
        f"the key {key.label}, which has {', '.join(key.permissions) or 'no permission'}",
        f"Give the key the permission {permission}, or use one that has it.",
    )


EXPLAINERS: Mapping[str, Explainer] = {
    "unknown_credential": partial(explain_unknown_key, rules=KEY_RULES),
    "outside_window": _explain_timestamp,
    "bad_signature": partial(explain_signature, recipe=RECIPE, own=OWN),
    "replayed": _explain_replay,
    "ip_not_allowed": _explain_address,
    "forbidden": _explain_permission,
}
explain = by_reason(EXPLAINERS)
