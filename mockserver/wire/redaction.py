"""What stands for a secret wherever it would be stored or shown.

Secrets are known by the name under which they are sent: by those that the providers
declare, and by names that say it themselves (``apiKeySecret``, ``X-Auth``), since a
client under development sends them in wrong places. Those of the caller, and of others
where they are few, are known by their value, too. A body that names one and cannot be
read is replaced as a whole.
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import msgspec

from mockserver.wire.memo import Memo

SECRET_MIN = 4  # signs; what is shorter is not looked for elsewhere in its body
HIDDEN_MIN = 6  # signs; what is shorter is not looked for by its value

# A name says that its value is secret when it contains one of these, separators aside.
TELLING = re.compile(
    rb"(api|access|private|secret)key|keyid|secret|sign|auth|token|jwt|pass|credential|cookie"
)
PUBLIC = frozenset({b"pagetoken", b"nextpagetoken"})

# Headers of every client, in which nobody puts a secret.
PLAIN = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"connection",
        b"content-length",
        b"content-type",
        b"host",
    }
)

# What a body has to contain before it is taken apart.
SUSPECT = re.compile(TELLING.pattern + rb"|api.?key|\\u|\0", re.IGNORECASE)
FORM = re.compile(rb"[\w.%~+-]*=")
SEPARATORS = re.compile(rb"([&;])")


def fingerprint(secret: bytes, label: str = "redacted") -> str:
    """Returns the label and the first eight hex digits of the secret's SHA-256."""
    return f"{label}:{hashlib.sha256(secret).hexdigest()[:8]}"


def printable(raw: bytes) -> str:
    """Decodes bytes for a log line: one line, control characters escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def telling(name: bytes) -> bool:
    """Tells whether a name says that what it names is secret."""
    return NAMES[name]


def _telling(name: bytes) -> bool:
    plain = bytes(sign for sign in unquote_to_bytes(name).lower() if chr(sign).isalnum())
    return plain not in PUBLIC and TELLING.search(plain) is not None


NAMES = Memo(_telling, size=len)


class Redactor:
    """Takes secrets out of requests: out of any provider's, whichever they were sent to.

    ``secrets`` tell where the providers' requests carry some.
    """

    def __init__(self, secrets: Iterable[Any]) -> None:
        told = list(secrets)
        self._headers: frozenset[bytes] = frozenset().union(*(s.headers for s in told))
        self._query: frozenset[bytes] = frozenset().union(*(s.query for s in told))
        self._members: frozenset[str] = frozenset().union(*(s.members for s in told))
        self._names = [name.encode() for name in self._members]
        self._lines = Memo(self._line, size=lambda header: len(header[0]) + len(header[1]))
        self._values = Memo(_value, size=len)
        self._bodies = Memo(self._body, size=len)

    def headers(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
        """Returns headers as lines, secret values replaced; and what may hold one all the same."""
        found = [self._lines[header] for header in headers]
        return b"\r\n".join([line for line, _ in found]), b"\n".join([v for _, v in found if v])

    def _line(self, header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        name, value = header
        if name in PLAIN:
            return name + b": " + value, b""
        if name in self._headers or telling(name):
            return name + b": " + fingerprint(value).encode(), b""
        return name + b": " + value, value

    def query(self, query: bytes) -> bytes:
        """Returns a query or a form with the values of secret parameters replaced."""
        if not query:
            return query
        return b"".join([self._pair(part) for part in SEPARATORS.split(query)])

    def _pair(self, pair: bytes) -> bytes:
        name, equals, value = pair.partition(b"=")
        if not value or not (name in self._query or telling(name)):
            return pair
        return name + equals + self._values[value]

    def body(self, body: bytes) -> bytes:
        """Returns a JSON body or a form with its secrets replaced."""
        return self._bodies[body] if body else body

    def _body(self, body: bytes) -> bytes:
        if not (SUSPECT.search(body) or any(name in body for name in self._names)):
            return body
        if body.lstrip()[:1] in (b"{", b"["):
            return self._json(body)
        return self.query(body) if FORM.match(body) else fingerprint(body).encode()

    def _json(self, body: bytes) -> bytes:
        secrets: set[str] = set()
        try:
            redacted = msgspec.json.encode(self._redacted(msgspec.json.decode(body), secrets))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return fingerprint(body).encode()
        return hide(redacted, [msgspec.json.encode(secret)[1:-1] for secret in secrets])

    def _redacted(self, value: Any, secrets: set[str], secret: bool = False) -> Any:
        """Returns a JSON value without its secrets, and collects those that are long enough."""
        if isinstance(value, dict):
            return self._object(value, secrets, secret)
        if isinstance(value, list):
            return [self._redacted(v, secrets, secret) for v in value]
        if not secret:
            return value
        if len(str(value)) >= SECRET_MIN:
            secrets.add(str(value))
        return fingerprint(str(value).encode())

    def _object(self, value: dict[str, Any], secrets: set[str], secret: bool) -> dict[str, Any]:
        """Where one text is secret, so are its neighbours, and the names nobody knows."""
        named = {k for k in value if k in self._members or telling(k.encode())}
        secret = secret or any(isinstance(value[k], str) for k in named)
        return {
            k if not secret or k in named else fingerprint(k.encode()): self._redacted(
                v, secrets, secret or k in named
            )
            for k, v in value.items()
        }


@lru_cache(16)
def redactor(secrets: tuple[Any, ...]) -> Redactor:
    """Returns the redactor of some providers; the sandboxes of a server share one."""
    return Redactor(secrets)


def _value(written: bytes) -> bytes:
    return fingerprint(unquote_to_bytes(written)).encode()


def writings(secret: str) -> list[bytes]:
    """Returns how a secret may be written in a request; of more lines, each on its own."""
    lines = [line for line in secret.splitlines() if not line.startswith("-----")]
    long = [line for line in lines if len(line) >= HIDDEN_MIN]
    return [form for line in long for form in {line.encode(), quote(line, safe="").encode()}]


def hide(text: bytes, secrets: Collection[bytes]) -> bytes:
    """Replaces secrets wherever they stand."""
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, fingerprint(secret).encode())
    return text
