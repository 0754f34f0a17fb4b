"""What stands for a secret wherever it would be stored or shown.

Secrets are known by the name under which they are sent: by those that the providers
declare, and by names that say it themselves (``apiKeySecret``, ``X-Auth``), since a
client under development sends them in wrong places. A body that names one and cannot be
read is replaced as a whole. Those that a server has are known by their value, too: see
``secret_index``.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from mockserver.caches import MIB, cached
from mockserver.model.secret_index import fingerprint

ENDLESS = sys.maxsize
SECRET_MIN = 4  # signs; what is shorter is not looked for elsewhere in its body
HIDDEN_MIN = 6  # signs; what is shorter is not looked for by its value

# A name says that its value is secret when it contains one of these, separators aside.
SECRET_NAME = re.compile(
    rb"(api|access|private|secret)key|keyid|secret|sign|auth|token|jwt|pass|credential|cookie"
)
PUBLIC = frozenset({b"pagetoken", b"nextpagetoken"})

# Headers of every client, in which nobody puts a secret.
PUBLIC_HEADERS = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"connection",
        b"content-length",
        b"content-type",
        b"host",
    }
)

# What a body has to contain, in small letters, before it is taken apart: one of these words, or
# a name of a key. To look for each word is much faster than one pattern.
WORDS = (b"secret", b"sign", b"auth", b"token", b"jwt", b"pass", b"credential", b"cookie")
SUSPECT = (*WORDS, b"\\u", b"\0")
KEYS = re.compile(rb"api.?key|(?:access|private|secret)key|keyid")
FORM = re.compile(rb"[\w.%~+-]*=")
SEPARATORS = re.compile(rb"([&;])")
NO_LETTERS = bytes(sign for sign in range(256) if not chr(sign).isalnum())
# The words in a text of a JSON body that may repeat a secret of the same body.
WORD = re.compile(r"[^\s\"'`&;,=:?(){}<>\[\]|\\]{4,}")

Item = TypeVar("Item")


def printable(raw: bytes) -> str:
    """Decodes bytes for a log line: one line, control characters escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


@cached("secret names", size=lambda name: 50 + len(name), room=1 * MIB)
def is_secret_name(name: bytes) -> bool:
    """Returns whether the value of this name is secret, by the words in the name."""
    plain = unquote_to_bytes(name).lower().translate(None, NO_LETTERS)
    return plain not in PUBLIC and SECRET_NAME.search(plain) is not None


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

    def header(self, name: bytes, value: bytes) -> bytes:
        """Returns the value of a header, replaced where the name says that it is secret."""
        secret = name in self._headers or is_secret_name(name)
        return fingerprint(value).encode() if secret else value

    def query(self, query: bytes, limit: int = ENDLESS) -> bytes:
        """Returns a query or a form with the values of secret parameters replaced.

        Of a long one at least ``limit`` bytes are returned, and not all of it.
        """
        if not query:
            return query
        parts, size = [], 0
        for part in SEPARATORS.split(query):
            parts.append(self._pair(part))
            size += len(parts[-1])
            if size > limit:
                break
        return b"".join(parts)

    def _pair(self, pair: bytes) -> bytes:
        name, equals, value = pair.partition(b"=")
        if not value or not (name in self._query or is_secret_name(name)):
            return pair
        return name + equals + _fingerprinted(value)

    def body(self, body: bytes, limit: int = ENDLESS) -> bytes:
        """Returns a JSON body or a form with its secrets replaced.

        Of a long one at least ``limit`` bytes are returned, and maybe not all of it.
        """
        if not (_suspect(body) or any(name in body for name in self._names)):
            return body
        if body.lstrip()[:1] in (b"{", b"["):
            return self._json(body, limit)
        return self.query(body, limit) if FORM.match(body) else fingerprint(body).encode()

    def _json(self, body: bytes, limit: int) -> bytes:
        try:
            value = msgspec.json.decode(body)
            writer = _Writer(limit)
            self._collect(value, writer.secrets)
            return msgspec.json.encode(self._redacted(value, writer))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return fingerprint(body).encode()

    def _collect(self, value: Any, secrets: set[str], secret: bool = False) -> None:
        """Collects what is secret in a JSON value, where it is long enough to be looked for."""
        if isinstance(value, dict):
            named, secret = self._named(value, secret)
            for k, v in value.items():
                self._collect(v, secrets, secret or k in named)
        elif isinstance(value, list):
            for v in value:
                self._collect(v, secrets, secret)
        elif secret and len(text := str(value)) >= SECRET_MIN:
            secrets.add(text)

    def _redacted(self, value: Any, writer: "_Writer", secret: bool = False) -> Any:
        """Returns a JSON value without its secrets, as much of it as the writer has room for."""
        if isinstance(value, dict):
            named, secret = self._named(value, secret)
            return {
                writer.text(k, secret and k not in named): self._redacted(
                    v, writer, secret or k in named
                )
                for k, v in writer.fitting(value.items())
            }
        if isinstance(value, list):
            return [self._redacted(v, writer, secret) for v in writer.fitting(value)]
        if secret or str(value) in writer.secrets:
            return writer.text(str(value), True)
        return writer.text(value, False) if isinstance(value, str) else value

    def _named(self, value: dict[str, Any], secret: bool) -> tuple[set[str], bool]:
        """Returns the names that tell of secrets, and whether all in an object is secret.

        Where one text is secret, so are its neighbours, and the names nobody knows.
        """
        named = {k for k in value if k in self._members or is_secret_name(k.encode())}
        return named, secret or any(isinstance(value[k], str) for k in named)


class _Writer:
    """Writes texts of one JSON body, in ``limit`` bytes or a little more."""

    def __init__(self, limit: int) -> None:
        self.secrets: set[str] = set()
        self._left = limit

    def fitting(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yields items while there is room."""
        for item in items:
            if self._left < 0:
                return
            self._left -= 1
            yield item

    def text(self, text: str, secret: bool) -> str:
        """Returns what stands for a text: all of it is ``secret``, or single words may be."""
        if secret or text in self.secrets:
            written = fingerprint(text.encode())
        elif self.secrets:
            written = WORD.sub(self._word, text)
        else:
            written = text
        self._left -= len(written)
        return written

    def _word(self, word: "re.Match[str]") -> str:
        return fingerprint(word[0].encode()) if word[0] in self.secrets else word[0]


def _suspect(body: bytes) -> bool:
    small = body.lower()
    if any(word in small for word in SUSPECT):
        return True
    return b"key" in small and KEYS.search(small) is not None


@cached("secret values", size=lambda value: 100 + len(value), room=1 * MIB)
def _fingerprinted(value: bytes) -> bytes:
    return fingerprint(unquote_to_bytes(value)).encode()


def written_forms(secret: str) -> list[bytes]:
    """Returns what is looked for of a secret: each line, also as HTTP libraries lower it.

    A form writes blanks as plus signs; other escapes are taken off by who looks.
    """
    lines = [line for line in secret.splitlines() if not line.startswith("-----")]
    long = [line for line in lines if len(line) >= HIDDEN_MIN]
    forms = [form for line in long for form in (line, line.lower(), line.replace(" ", "+"))]
    return [form.encode() for form in dict.fromkeys(forms)]
