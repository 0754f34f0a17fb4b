"""Explains a credential of which a part is missing, or all: names what is sent in its place."""

import re
from collections.abc import Sequence

from mockserver.explain.keys import match_altered_key
from mockserver.explain.plain_keys import labels_by_key
from mockserver.explain.sent_values import SentValue, candidates, sent_values
from mockserver.explain.text import listed
from mockserver.explain.vocabulary import Explanation, RejectedRequest
from mockserver.model.http import UnsignedRequest
from mockserver.model.key_placement import KeyPlacement
from mockserver.model.provider import Provider
from mockserver.model.query import raw_pairs

NAMED_MAX = 5  # headers and parameters that are named

# What a name stands for; the first match counts.
ROLES = (
    re.compile(r"sig|hmac|hash", re.IGNORECASE),
    re.compile(r"time(?!out)|stamp|nonce|(?<![a-z])ts(?![a-z])", re.IGNORECASE),
    re.compile(r"key|auth|token", re.IGNORECASE),
)


def explain_missing(rejected: RejectedRequest, provider: Provider) -> Explanation:
    """Names the headers and parameters that a signed request has, and what may stand for them."""
    places = _places(rejected, provider)
    others = [value for value in candidates(rejected.request) if not any(map(value.is_at, places))]
    present = [place.name for place in places if place.reader()(rejected.request)]
    missing = [place for place in places if place.name not in present]
    sent = list(sent_values(rejected.request))
    empty = [p.name for p in missing if any(v.is_at(p) and not v.value for v in sent)]
    expected = f"{_listed(places)}, none of them empty"
    if empty:
        fix = f"Check that the client has a value for {listed(empty)}."
        return Explanation(f"empty {', '.join(empty)}", expected, _text(present), fix)
    stand_ins = _stand_ins(rejected, provider, missing, others)
    if not (present or stand_ins):
        named = [value.place for value in others if value.is_named_like_key][:NAMED_MAX]
        places_text = _listed(places) or "the request"
        fix = f"Send {places_text}."
        return Explanation(rejected.reason, f"a credential in {places_text}", _text(named), fix)
    if not missing:
        fix = f"Check how the value of {listed(present)} is written: it was sent, but not accepted."
        return Explanation(f"{listed(present)} not accepted", expected, _text(present), fix)
    names = [place.name for place in missing]
    fixes = [f"Send {n}, not {stand_ins[n]}." if n in stand_ins else f"Send {n}." for n in names]
    received = _text([*present, *stand_ins.values()])
    return Explanation(f"missing {', '.join(names)}", expected, received, " ".join(fixes))


def _places(rejected: RejectedRequest, provider: Provider) -> list[KeyPlacement]:
    """Returns where a signed request carries its credential."""
    headers, parameters = sorted(provider.secrets.headers), sorted(provider.secrets.query)
    if rejected.keys:
        bare = UnsignedRequest("GET", "", b"/")
        signed = provider.sign(bare, rejected.keys[0], rejected.auth_now)
        headers, parameters = list(dict(signed.headers)), list(dict(raw_pairs(signed.query)))
    kinds = (("header", headers), ("form", parameters))
    return [KeyPlacement(kind, name.decode()) for kind, names in kinds for name in names]


def _stand_ins(
    rejected: RejectedRequest,
    provider: Provider,
    missing: Sequence[KeyPlacement],
    others: Sequence[SentValue],
) -> dict[str, str]:
    """Returns where values are that were probably sent for the missing ones, by their names."""
    keys = labels_by_key(rejected, provider.key)
    ours = [value for value in others if match_altered_key(value.value, keys, whole=True)]
    stand_ins = {
        place.name: value.place
        for place in missing
        for value in others[::-1]
        if _role(value.name) == _role(place.name)
    }
    for place in missing:
        if ours and _role(place.name) == len(ROLES) - 1:
            stand_ins[place.name] = ours[0].place
    known = ours or len(missing) < len(_places(rejected, provider))
    return stand_ins if known else {}  # without a key of ours they may be another exchange's


def _role(name: str) -> int:
    return next((n for n, role in enumerate(ROLES) if role.search(name)), -1)


def _text(names: Sequence[str]) -> str:
    return ", ".join(names) or "none of them"


def _listed(places: Sequence[KeyPlacement]) -> str:
    """Returns ``the headers A and B``, or ``the parameter C``."""
    headers = [place.name for place in places if place.where == "header"]
    parameters = [place.name for place in places if place.where != "header"]
    kinds = (("header", headers), ("parameter", parameters))
    return " or ".join(
        f"the {kind}{'s' * (len(names) > 1)} {listed(names)}" for kind, names in kinds if names
    )
