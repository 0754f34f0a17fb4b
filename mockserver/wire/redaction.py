"""What stands for a secret wherever it would be stored or shown."""

import hashlib
from collections.abc import Collection
from urllib.parse import unquote_to_bytes


def fingerprint(secret: bytes, label: str = "redacted") -> str:
    """Returns the label and the first eight hex digits of the secret's SHA-256."""
    return f"{label}:{hashlib.sha256(secret).hexdigest()[:8]}"


def redact_query(query: bytes, names: Collection[bytes]) -> bytes:
    """Replaces the values of the named query parameters."""
    if not names or not query:
        return query
    return b"&".join(_redact_pair(pair, names) for pair in query.split(b"&"))


def _redact_pair(pair: bytes, names: Collection[bytes]) -> bytes:
    name, equals, value = pair.partition(b"=")
    if unquote_to_bytes(name) not in names:
        return pair
    return name + equals + fingerprint(unquote_to_bytes(value)).encode()


def printable(raw: bytes) -> str:
    """Decodes bytes for a log line: one line, control characters escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
