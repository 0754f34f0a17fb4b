"""Why an exchange refused the credentials that CoinStats was given for it.

A fingerprint stands for each of them.
"""

from collections.abc import Mapping

from mockserver.explain import Explanation, RejectedRequest, fingerprinted, match_altered_key
from mockserver.providers.coinstats.exchanges import EXCHANGES
from mockserver.providers.coinstats.mistakes.body import read

Connection = tuple[str, Mapping[str, str]]  # the exchange, and the fields it needs


def credentials(refused: RejectedRequest) -> Explanation | None:
    """Explains fields that belong to no connection of the caller."""
    body = read(refused.request.body)
    if not body:
        return None
    exchange, fields = body["connectionId"], body["connectionFields"]
    known: list[Connection] = refused.facts["connections"]
    for other, needed in known:
        if other != exchange and needed.items() <= fields.items():
            return Explanation(
                "fields of another connection",
                f"the fields of {exchange}",
                f"those of {other}",
                f"Send connectionId {other}, or the fields of {exchange}.",
            )
    rivals = [needed for other, needed in known if other == exchange]
    if rivals:
        return _nearly(exchange, max(rivals, key=lambda r: _alike(r, fields)), fields)
    return Explanation(
        "no such connection",
        "the fields of a connection of this world to " + exchange,
        ", ".join(f"{name} {fingerprinted(fields[name])}" for name in EXCHANGES[exchange].fields),
        "Use the connectionId and the connectionFields of the world.",
    )


def _alike(needed: Mapping[str, str], fields: Mapping[str, str]) -> int:
    return sum(fields.get(name) == value for name, value in needed.items())


def _nearly(exchange: str, needed: Mapping[str, str], fields: Mapping[str, str]) -> Explanation:
    wrong = {name: value for name, value in needed.items() if fields.get(name) != value}
    swapped = sorted(fields.get(name, "") for name in wrong) == sorted(wrong.values())
    told = ", ".join(_field_told(name, wrong[name], fields.get(name, "")) for name in wrong)
    if swapped and len(wrong) > 1:
        rule, fix = f"{' and '.join(wrong)} swapped", "Send each under its own name."
    else:
        rule = " + ".join(f"wrong {name}" for name in wrong)
        fix = f"Send {' and '.join(wrong)} as the world has it for {exchange}."
    return Explanation(rule, f"the fields of the connection {exchange}", told, fix)


def _field_told(name: str, needed: str, given: str) -> str:
    found = match_altered_key(given.encode(), {needed.encode(): name})
    done = " + ".join(mistake.name for mistake in found[0]) if found is not None else ""
    return f"{name} {fingerprinted(given)}" + (f" ({done})" if done else "")
