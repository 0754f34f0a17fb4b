"""What an explanation may call by its name: key ids, labels, and secrets without showing them."""

import re
from typing import Any

from mockserver.explain import RejectedRequest, fingerprinted, printable
from mockserver.model import jwt
from mockserver.model.http import Request

ID = re.compile(r"(?:organizations/[0-9a-f-]{36}/apiKeys/)?[0-9a-f-]{36}")
WANTED = "Authorization: Bearer, a space and a JWT"
MAKE = "Make a JWT for each request and sign it with the secret; send neither id nor secret."
TELLING = 5  # keys that are listed

# What may be lost or added when a secret is copied: lines, blanks, quotes, padding.
LOST = re.compile(r"-----[A-Z ]+-----|\\[nr]|[\s\"'=]")


def _bare(secret: str) -> str:
    return LOST.sub("", secret).replace("-", "+").replace("_", "/")


def secret_of(refused: RejectedRequest, text: str) -> Any:
    """Returns the key whose secret a text is, in whichever writing; or None."""
    bare = _bare(text)
    return next((key for key in refused.keys if bare and _bare(key.key_secret) == bare), None)


def id_of(refused: RejectedRequest, text: str) -> Any:
    """Returns the key whose id a text is, or None."""
    return next((key for key in refused.keys if key.key_id == text), None)


def _label_of(refused: RejectedRequest, text: str) -> Any:
    return next((key for key in refused.keys if key.label == text), None)


FINDERS = ((id_of, "key id"), (secret_of, "secret"), (_label_of, "label"))


def named(refused: RejectedRequest, text: str) -> str:
    """Says what a text is; one that may be secret is not shown."""
    raw = text.encode("utf-8", "surrogatepass")
    for find, what in FINDERS:
        key = find(refused, text)
        if key is not None:
            return f"the {what} of the key {key.label}"
    return printable(raw) if ID.fullmatch(text) else fingerprinted(raw)


def key_in(refused: RejectedRequest, value: bytes) -> str:
    """Says which part of which key a value is, or nothing."""
    text = value.decode("latin-1").strip()
    known = id_of(refused, text) or secret_of(refused, text)
    return named(refused, text) if known is not None else ""


def listed(refused: RejectedRequest) -> str:
    """Lists the labels of the keys that there are."""
    labels = [key.label for key in refused.keys]
    more = ", ..." if len(labels) > TELLING else ""
    return ", ".join(labels[:TELLING]) + more


def bearer(request: Request) -> bytes:
    """Returns the token of the Authorization header, as authentication reads it."""
    return request.header(b"authorization").partition(b" ")[2].strip()


def presented(refused: RejectedRequest) -> jwt.Token:
    """Returns the token; raises ValueError for one that cannot be read."""
    return jwt.read(bearer(refused.request))


def caller(refused: RejectedRequest) -> Any:
    """Returns the key that the token names, which is there."""
    return refused.keyring.find(presented(refused).header["kid"].encode())


def kind(value: Any) -> str:
    """Says what a JSON value is without showing it."""
    return "null" if value is None else KINDS.get(type(value), "an object")


KINDS = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
