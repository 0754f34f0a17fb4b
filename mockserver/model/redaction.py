"""Redaction of secrets by the name under which they are sent.

These are the names that the providers declare, and names that contain certain words
(``apiKeySecret``, ``X-Auth``): a client under development sends secrets in wrong places. A body
that has such a name and cannot be parsed is replaced as a whole. ``secret_index`` finds secrets
by their value.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct

from mockserver.caches import MIB, cached
from mockserver.model.secret_index import fingerprint
from mockserver.model.world import Credential

NO_LIMIT = sys.maxsize
SECRET_MIN = 4  # characters; a shorter secret is not looked for elsewhere in its body
HIDDEN_MIN = 6  # characters; a shorter secret is not looked for by its value

# A name is secret when it contains one of these words, separators removed.
SECRET_NAME = re.compile(
    rb"(api|access|private|secret)key|keyid|secret|sign|auth|token|jwt|pass|credential|cookie"
)
PUBLIC = frozenset({b"pagetoken", b"nextpagetoken"})

# Headers of every client that never contain a secret.
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

# A body in lower case is parsed only when it contains one of these words or a name of a key.
# Searching for each word is much faster than one pattern.
WORDS = ("secret", "sign", "auth", "token", "jwt", "pass", "credential", "cookie")
SUSPECT = (*WORDS, "\\u", "\0")
KEYS = re.compile(r"api.?key|(?:access|private|secret)key|keyid")
FORM = re.compile(rb"[\w.%~+-]*=")
SEPARATORS = re.compile(rb"([&;])")
SEMICOLON, PERCENT = b";%"
NO_LETTERS = bytes(byte for byte in range(256) if not chr(byte).isalnum())
# The words in a text of a JSON body that may repeat a secret of the same body.
WORD = re.compile(r"[^\s\"'`&;,=:?(){}<>\[\]|\\]{4,}")

Item = TypeVar("Item")


def printable(raw: bytes) -> str:
    """Returns bytes as text of one line, control characters escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


@cached("secret names", size=lambda name: 50 + len(name), room=1 * MIB)
def is_secret_name(name: bytes) -> bool:
    """Returns whether the value of this name is secret, by the words in the name."""
    plain = unquote_to_bytes(name).lower().translate(None, NO_LETTERS)
    return plain not in PUBLIC and SECRET_NAME.search(plain) is not None


PUBLIC_MEMBERS = frozenset({*Credential.__struct_fields__, "account"})  # never secret by default


class Secrets(Struct, frozen=True):
    """Where a request has secrets, and which members of a credential are secret.

    ``headers`` are names in lower case, ``query`` parameters of a query or a form, ``members``
    names in a JSON body whose text, or every text below, is secret. ``values`` are members of a
    credential; None is every text but its label and its account. ``signature`` names the header
    whose value is another one in every request, so that no cache keeps its fingerprint.
    """

    headers: frozenset[bytes] = frozenset()
    query: frozenset[bytes] = frozenset()
    members: frozenset[str] = frozenset()
    signature: bytes = b""
    values: tuple[str, ...] | None = None

    def names(self, credential: Any) -> tuple[str, ...]:
        """Returns the names of a credential's secret members."""
        if self.values is not None:
            return self.values
        return tuple(name for name in credential.__struct_fields__ if name not in PUBLIC_MEMBERS)

    def of(self, credential: Any) -> list[str]:
        """Returns the secret texts of a credential."""
        values = [getattr(credential, name) for name in self.names(credential)]
        texts = [t for v in values for t in (v.values() if isinstance(v, Mapping) else (v,))]
        return [text for text in texts if isinstance(text, str)]


class Redactor:
    """Redacts the secrets of every provider, whichever provider a request was sent to."""

    def __init__(self, secrets: Iterable[Secrets]) -> None:
        each = list(secrets)
        self._headers: frozenset[bytes] = frozenset().union(*(s.headers for s in each))
        self._query: frozenset[bytes] = frozenset().union(*(s.query for s in each))
        self._members: frozenset[str] = frozenset().union(*(s.members for s in each))
        self._names = [name.encode() for name in self._members]
        self.signatures = frozenset(s.signature for s in each)

    def header(self, name: bytes, value: bytes) -> bytes:
        """Returns the value of a header, or its fingerprint when the name is secret."""
        return fingerprint(value).encode() if self.is_secret_header(name) else value

    def is_secret_header(self, name: bytes) -> bool:
        """Returns whether the value of a header is secret, by its name in lower case."""
        return name in self._headers or is_secret_name(name)

    def query(self, query: bytes, limit: int = NO_LIMIT) -> bytes:
        """Returns a query or a form with the values of secret parameters replaced.

        A longer result is cut somewhere behind ``limit`` bytes.
        """
        if SEMICOLON in query or len(query) > limit:
            return self._cut_query(query, limit)
        secret_names, parts = self._query, []
        for part in query.split(b"&"):
            name, equals, value = part.partition(b"=")
            if value and (name in secret_names or is_secret_name(name)):
                parts.append(name + equals + _fingerprinted(value))
            else:
                parts.append(part)
        return b"&".join(parts)

    def _cut_query(self, query: bytes, limit: int) -> bytes:
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

    def body(self, body: bytes, limit: int = NO_LIMIT) -> bytes:
        """Returns a JSON body or a form with its secrets replaced.

        A longer result may be cut somewhere behind ``limit`` bytes.
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
        """Adds the secrets of a JSON value that have at least SECRET_MIN characters."""
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
        """Returns a JSON value with its secrets replaced, cut where the writer has no more room."""
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
        """Returns the secret names of an object, and whether everything in it is secret.

        Next to a secret text every value is secret, and so is every unknown name.
        """
        named = {k for k in value if k in self._members or is_secret_name(k.encode())}
        return named, secret or any(isinstance(value[k], str) for k in named)


class _Writer:
    """Writes the texts of one JSON body up to about ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.secrets: set[str] = set()
        self._left = limit

    def fitting(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yields items while the limit is not reached."""
        for item in items:
            if self._left < 0:
                return
            self._left -= 1
            yield item

    def text(self, text: str, secret: bool) -> str:
        """Returns a text redacted: as a whole when it is ``secret``, else word by word."""
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
    small = body.lower().decode("latin-1")  # searching str is several times faster than bytes
    for word in SUSPECT:
        if word in small:
            return True
    return "key" in small and KEYS.search(small) is not None


@cached("secret values", size=lambda value: 100 + len(value), room=1 * MIB)
def _fingerprinted(value: bytes) -> bytes:
    return fingerprint(unquote_to_bytes(value) if PERCENT in value else value).encode()


def written_forms(secret: str) -> list[bytes]:
    """Returns the texts by which a secret is found: its lines, lower-cased, and as in a form.

    HTTP libraries lower header names; a form has plus signs for spaces. The search itself removes
    other escapes.
    """
    lines = [line for line in secret.splitlines() if not line.startswith("-----")]
    long = [line for line in lines if len(line) >= HIDDEN_MIN]
    forms = [form for line in long for form in (line, line.lower(), line.replace(" ", "+"))]
    return [form.encode() for form in dict.fromkeys(forms)]
