"""What stands for a secret wherever it would be stored or shown.

Secrets are known by the name under which they are sent: by those that the providers
declare, and by names that say it themselves (``apiKeySecret``, ``X-Auth``), since a
client under development sends them in wrong places. A body that names one and cannot be
read is replaced as a whole. Those that a server has are known by their value, too: see
``secret_index``.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from mockserver.wire.memo import Memo
from mockserver.wire.secret_index import fingerprint

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
NO_LETTERS = bytes(sign for sign in range(256) if not chr(sign).isalnum())
# The words in a text of a JSON body that may repeat a secret of the same body.
WORD = re.compile(r"[^\s\"'`&;,=:?(){}<>\[\]|\\]{4,}")


def printable(raw: bytes) -> str:
    """Decodes bytes for a log line: one line, control characters escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def telling(name: bytes) -> bool:
    """Tells whether a name says that what it names is secret."""
    return NAMES[name]


def _telling(name: bytes) -> bool:
    plain = unquote_to_bytes(name).lower().translate(None, NO_LETTERS)
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
        self._values = Memo(_value, size=len)
        self._bodies = Memo(self._body, size=len)

    def header(self, name: bytes, value: bytes) -> bytes:
        """Returns the value of a header, replaced where the name says that it is secret."""
        secret = name in self._headers or telling(name)
        return fingerprint(value).encode() if secret else value

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
            redacted = self._redacted(msgspec.json.decode(body), secrets)
            return msgspec.json.encode(_unrepeated(redacted, secrets) if secrets else redacted)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return fingerprint(body).encode()

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


def _unrepeated(value: Any, secrets: set[str]) -> Any:
    """Returns a JSON value in which no text is a secret, and no word of a text is one."""
    if isinstance(value, dict):
        return {_unrepeated(k, secrets): _unrepeated(v, secrets) for k, v in value.items()}
    if isinstance(value, list):
        return [_unrepeated(v, secrets) for v in value]
    if str(value) in secrets:
        return fingerprint(str(value).encode())
    if not isinstance(value, str):
        return value
    return WORD.sub(lambda word: _word(word[0], secrets), value)


def _word(word: str, secrets: set[str]) -> str:
    return fingerprint(word.encode()) if word in secrets else word


def writings(secret: str) -> list[bytes]:
    """Returns what is looked for of a secret: each line, also as HTTP libraries lower it.

    A form writes blanks as plus signs; other escapes are taken off by who looks.
    """
    lines = [line for line in secret.splitlines() if not line.startswith("-----")]
    long = [line for line in lines if len(line) >= HIDDEN_MIN]
    forms = [form for line in long for form in (line, line.lower(), line.replace(" ", "+"))]
    return [form.encode() for form in dict.fromkeys(forms)]
