"""What stands for a secret wherever it would be stored or shown."""

import hashlib
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

SECRET_MIN = 4  # signs; what is shorter is not looked for elsewhere

# Secret wherever they stand, whatever the provider says.
HEADERS = frozenset({b"authorization", b"cookie", b"proxy-authorization"})


def fingerprint(secret: bytes, label: str = "redacted") -> str:
    """Returns the label and the first eight hex digits of the secret's SHA-256."""
    return f"{label}:{hashlib.sha256(secret).hexdigest()[:8]}"


class Redactor:
    """Takes secrets out of requests: out of any provider's, whichever they were sent to.

    ``secrets`` tell where the providers' requests carry some.
    """

    def __init__(self, secrets: Iterable[Any]) -> None:
        told = list(secrets)
        self._headers = HEADERS.union(*(s.headers for s in told))
        self._query = frozenset().union(*(s.query for s in told))
        self._members = frozenset().union(*(s.members for s in told))
        self._names = [name.encode() for name in self._members]

    def headers(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Returns headers as lines, secret values replaced."""
        secret = self._headers
        return b"\r\n".join(
            [
                name + b": " + (fingerprint(value).encode() if name in secret else value)
                for name, value in headers
            ]
        )

    def query(self, query: bytes) -> bytes:
        """Returns a query with the values of secret parameters replaced."""
        return redact_query(query, self._query)

    def body(self, body: bytes) -> bytes:
        """Returns a JSON body or a form with its secrets replaced.

        A body that seems to name a secret member and cannot be read is replaced as a whole.
        """
        if not body:
            return body
        if not any(name in body for name in self._names) and b"\\u" not in body:
            return body if body[:1] in b"{[" else redact_query(body, self._query)
        try:
            secrets: set[str] = set()
            redacted = msgspec.json.encode(self._redacted(msgspec.json.decode(body), secrets))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return fingerprint(body).encode()
        for secret in secrets:  # which may stand in a wrong member too
            written = msgspec.json.encode(secret)[1:-1]
            redacted = redacted.replace(written, fingerprint(secret.encode()).encode())
        return redacted

    def _redacted(self, value: Any, secrets: set[str], secret: bool = False) -> Any:
        """Returns a JSON value without its secrets, and collects those that are long enough."""
        if isinstance(value, dict):
            return self._members_redacted(value, secrets, secret)
        if isinstance(value, list):
            return [self._redacted(v, secrets, secret) for v in value]
        if not secret:
            return value
        if len(str(value)) >= SECRET_MIN:
            secrets.add(str(value))
        return fingerprint(str(value).encode())

    def _members_redacted(self, value: Any, secrets: set[str], secret: bool) -> Any:
        """Where one text is secret, so are its neighbours, and the names nobody knows."""
        known = self._members
        secret = secret or any(k in known and isinstance(v, str) for k, v in value.items())
        return {
            k if not secret or k in known else fingerprint(k.encode()): self._redacted(
                v, secrets, secret or k in known
            )
            for k, v in value.items()
        }


def redact_query(query: bytes, names: Collection[bytes]) -> bytes:
    """Replaces the values of the named query parameters."""
    if not names or not query:
        return query
    return b"&".join(_redact_pair(pair, names) for pair in query.split(b"&"))


def _redact_pair(pair: bytes, names: Collection[bytes]) -> bytes:
    name, equals, value = pair.partition(b"=")
    if (unquote_to_bytes(name) if b"%" in name else name) not in names:
        return pair
    return name + equals + fingerprint(unquote_to_bytes(value)).encode()


def printable(raw: bytes) -> str:
    """Decodes bytes for a log line: one line, control characters escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
