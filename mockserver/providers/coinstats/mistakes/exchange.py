"""Explains exchange credentials that belong to no connection; fingerprints replace their values."""

from collections.abc import Mapping

from mockserver.explain import Explanation, RejectedRequest, fingerprinted, match_altered_key
from mockserver.providers.coinstats.exchanges import EXCHANGES
from mockserver.providers.coinstats.mistakes.body import parse_object

Connection = tuple[str, Mapping[str, str]]  # the exchange and its credential fields


def explain_credentials(rejected: RejectedRequest) -> Explanation | None:
    """Explains fields that belong to no connection of the caller."""
    body = parse_object(rejected.request.body)
    if not body:
        return None
    exchange, fields = body["connectionId"], body["connectionFields"]
    connections: list[Connection] = rejected.facts["connections"]
    for other, expected_fields in connections:
        if other != exchange and expected_fields.items() <= fields.items():
            return Explanation(
                "fields of another connection",
                f"the fields of {exchange}",
                f"those of {other}",
                f"Send connectionId {other}, or the fields of {exchange}.",
            )
    candidates = [expected_fields for other, expected_fields in connections if other == exchange]
    if candidates:
        nearest = max(candidates, key=lambda candidate: _count_equal(candidate, fields))
        return _wrong_fields(exchange, nearest, fields)
    return Explanation(
        "no such connection",
        f"the fields of a connection to {exchange} in this world",
        ", ".join(f"{name} {fingerprinted(fields[name])}" for name in EXCHANGES[exchange].fields),
        "Use the connectionId and the connectionFields of the world.",
    )


def _count_equal(expected_fields: Mapping[str, str], fields: Mapping[str, str]) -> int:
    return sum(fields.get(name) == value for name, value in expected_fields.items())


def _wrong_fields(
    exchange: str, expected_fields: Mapping[str, str], fields: Mapping[str, str]
) -> Explanation:
    wrong = {name: value for name, value in expected_fields.items() if fields.get(name) != value}
    swapped = sorted(fields.get(name, "") for name in wrong) == sorted(wrong.values())
    received = ", ".join(_field_text(name, wrong[name], fields.get(name, "")) for name in wrong)
    if swapped and len(wrong) > 1:
        rule, fix = f"{' and '.join(wrong)} swapped", "Send each under its own name."
    else:
        rule = " + ".join(f"wrong {name}" for name in wrong)
        fix = f"Send {' and '.join(wrong)} as the world has it for {exchange}."
    return Explanation(rule, f"the fields of the connection {exchange}", received, fix)


def _field_text(name: str, expected: str, sent: str) -> str:
    """Returns a field's fingerprint, and how its value was altered where that is known."""
    match = match_altered_key(sent.encode(), {expected.encode(): name})
    alterations = " + ".join(mistake.name for mistake in match[0]) if match is not None else ""
    return f"{name} {fingerprinted(sent)}" + (f" ({alterations})" if alterations else "")
