"""Explanations of credentials that belong to another provider or another sandbox."""

from collections.abc import Callable, Iterator
from itertools import islice

from mockserver.explain.keys import KEY_MAX, sent_values
from mockserver.explain.text import fingerprinted
from mockserver.explain.vocabulary import Explanation, RejectedRequest
from mockserver.model import jwt
from mockserver.model.http import Request
from mockserver.model.provider import Provider
from mockserver.model.redaction import PUBLIC_HEADERS

VALUES_MAX = 32  # values of a request that are looked up

OwnerOf = Callable[[bytes], str]  # the owner of a credential in words, "" for an unknown one


def foreign_key(
    rejected: RejectedRequest, provider: Provider, owner_of: OwnerOf
) -> Explanation | None:
    """Explains a foreign credential; None where there is none, or one of our own beside it."""
    own = {getattr(key, provider.key).encode() for key in rejected.keyring.labels.values()}
    candidates = (
        (place, value)
        for place, value in credential_candidates(rejected.request)
        if 0 < len(value) <= KEY_MAX
    )
    places = {value: place for place, value in islice(candidates, VALUES_MAX)}
    if not own.isdisjoint(places):
        return None
    for value, place in places.items():
        owner = owner_of(value)
        if owner:
            return Explanation(
                "foreign credential",
                "a key of this provider in this sandbox",
                f"{fingerprinted(value)} in {place}, which is {owner}",
                f"Send a key of this sandbox: this one is {owner}.",
            )
    return None


def credential_candidates(request: Request) -> Iterator[tuple[str, bytes]]:
    """Yields the place in words and the value of everything that may be a credential."""
    for sent in sent_values(request):
        if sent.where == "header" and sent.name.encode("latin-1") in PUBLIC_HEADERS:
            continue
        yield sent.place, sent.value
        _, space, rest = sent.value.partition(b" ")
        token = rest.strip() if space else sent.value
        if space:
            yield sent.place, token
        key_id = _key_id(token)
        if key_id:
            yield f"the kid of the token in {sent.place}", key_id


def _key_id(token: bytes) -> bytes:
    """Returns the key id of a JWT; empty where the token is not one or has none."""
    if token.count(b".") != 2:
        return b""
    try:
        key_id = jwt.read(token).header.get("kid")
        return key_id.encode() if isinstance(key_id, str) else b""
    except ValueError:
        return b""
