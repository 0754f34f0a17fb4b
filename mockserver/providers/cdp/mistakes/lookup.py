"""Finds the token of a rejected request and the keys that its values belong to.

Values are described without showing secrets.
"""

import re
from typing import Any

from mockserver.explain import RejectedRequest, fingerprinted, printable
from mockserver.model import jwt
from mockserver.providers.cdp.auth import read_bearer

KEY_ID = re.compile(r"(?:organizations/[0-9a-f-]{36}/apiKeys/)?[0-9a-f-]{36}")
LABELS_MAX = 5  # labels that are listed

# What every explanation of a missing or malformed token says.
EXPECTED_HEADER = "Authorization: Bearer, a space and a JWT"
FIX_SIGN_JWT = "Sign a JWT with the secret for each request; send neither key id nor secret."

# What copying a secret may lose or add: PEM lines, line ends, whitespace, quotes, padding.
COPYING_NOISE = re.compile(r"-----[A-Z ]+-----|\\[nr]|[\s\"'=]")


def _normalized(secret: str) -> str:
    return COPYING_NOISE.sub("", secret).replace("-", "+").replace("_", "/")


def key_with_secret(rejected: RejectedRequest, text: str) -> Any:
    """Returns the key with this secret, in any notation, or None."""
    secret = _normalized(text)
    keys = rejected.keys
    return next((key for key in keys if secret and _normalized(key.key_secret) == secret), None)


def key_with_id(rejected: RejectedRequest, text: str) -> Any:
    """Returns the key with this id, or None."""
    return next((key for key in rejected.keys if key.key_id == text), None)


def _key_with_label(rejected: RejectedRequest, text: str) -> Any:
    return next((key for key in rejected.keys if key.label == text), None)


FINDERS = (
    (key_with_id, "key id"),
    (key_with_secret, "secret"),
    (_key_with_label, "label"),
)


def describe_value(rejected: RejectedRequest, text: str) -> str:
    """Names the key that a text belongs to; a text that may be secret becomes a fingerprint."""
    raw = text.encode("utf-8", "surrogatepass")
    for find_key, member in FINDERS:
        key = find_key(rejected, text)
        if key is not None:
            return f"the {member} of the key {key.label}"
    return printable(raw) if KEY_ID.fullmatch(text) else fingerprinted(raw)


def describe_key_value(rejected: RejectedRequest, value: bytes) -> str:
    """Describes a value that is a key id or a secret; returns an empty string for others."""
    text = value.decode("latin-1").strip()
    key = key_with_id(rejected, text) or key_with_secret(rejected, text)
    return describe_value(rejected, text) if key is not None else ""


def key_labels(rejected: RejectedRequest) -> str:
    """Returns the labels of the first LABELS_MAX keys, separated by commas."""
    labels = [key.label for key in rejected.keys]
    more = ", ..." if len(labels) > LABELS_MAX else ""
    return ", ".join(labels[:LABELS_MAX]) + more


def read_token(rejected: RejectedRequest) -> jwt.Token:
    """Returns the token; raises ValueError for one that cannot be read."""
    return jwt.read(read_bearer(rejected.request))


def key_of_token(rejected: RejectedRequest) -> Any:
    """Returns the key that the token names; raises Reject if it is unknown or revoked."""
    return rejected.keyring.find(read_token(rejected).header["kid"].encode())


def json_type(value: Any) -> str:
    """Returns the JSON type of a value, with an article."""
    return "null" if value is None else JSON_TYPES.get(type(value), "an object")


JSON_TYPES = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
}
