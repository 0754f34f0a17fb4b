"""Finds what a rejected request contains, and describes its values without showing secrets."""

import re
from collections.abc import Iterable
from typing import Any

from mockserver.explain import RejectedRequest, fingerprinted, printable
from mockserver.model import jwt
from mockserver.providers.cdp.auth import read_bearer

KEY_ID = re.compile(r"(?:organizations/[0-9a-f-]{36}/apiKeys/)?[0-9a-f-]{36}")
LISTED_MAX = 5  # keys or accounts that are listed

# What copying a secret may lose or add: PEM lines, line ends, whitespace, quotes, padding.
COPYING_NOISE = re.compile(r"-----[A-Z ]+-----|\\[nr]|[\s\"'=]")

TYPES = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "a list"}


def read_token(rejected: RejectedRequest) -> jwt.Token:
    """Returns the token; raises ValueError for one that cannot be read."""
    return jwt.read(read_bearer(rejected.request))


def is_readable(token: bytes) -> bool:
    """Returns whether a token is in the valid form."""
    try:
        jwt.read(token)
    except ValueError:
        return False
    return True


def key_of_token(rejected: RejectedRequest) -> Any:
    """Returns the key that the token names; raises Reject if it is unknown or revoked."""
    return rejected.keyring.find(read_token(rejected).header["kid"].encode())


def _normalized(secret: str) -> str:
    return COPYING_NOISE.sub("", secret).replace("-", "+").replace("_", "/")


def _member_and_key(rejected: RejectedRequest, text: str) -> tuple[str, Any]:
    """Returns which member of which key a text is; a secret may be in any notation."""
    secret = _normalized(text)
    for key in rejected.keys:
        if text in (key.key_id, key.label):
            return "key id" if text == key.key_id else "label", key
        if secret and _normalized(key.key_secret) == secret:
            return "secret", key
    return "", None


def describe_value(rejected: RejectedRequest, text: str) -> str:
    """Names the key that a text belongs to; a text that may be secret becomes a fingerprint."""
    member, key = _member_and_key(rejected, text)
    if member:
        return f"the {member} of the key {key.label}"
    raw = text.encode("utf-8", "surrogatepass")
    return printable(raw) if KEY_ID.fullmatch(text) else fingerprinted(raw)


def show_value(rejected: RejectedRequest, text: str) -> str:
    """Returns a text in printable form, and describes a secret instead."""
    if _member_and_key(rejected, text)[0] == "secret":
        return describe_value(rejected, text)
    return printable(text.encode("utf-8", "replace"))


def describe_key(rejected: RejectedRequest, value: bytes) -> str:
    """Describes a value that is a key id or a secret; returns an empty string for others."""
    text = value.decode("latin-1").strip()
    is_key = _member_and_key(rejected, text)[0] in ("key id", "secret")
    return describe_value(rejected, text) if is_key else ""


def listed(names: Iterable[str]) -> str:
    """Returns the first LISTED_MAX names, separated by commas."""
    first = [*names]
    return ", ".join(first[:LISTED_MAX]) + ", ..." * (len(first) > LISTED_MAX)


def json_type(value: Any) -> str:
    """Returns the JSON type of a value, with an article."""
    return "null" if value is None else TYPES.get(type(value), "an object")
