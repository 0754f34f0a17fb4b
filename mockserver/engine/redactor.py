"""What may be kept of a request and its answer: secrets taken out by name, then by value."""

from collections.abc import Hashable, Iterable
from urllib.parse import unquote_to_bytes

from mockserver.caches import Memo
from mockserver.model.http import Request
from mockserver.model.query import PERCENT
from mockserver.model.redaction import Redactor
from mockserver.model.secret_index import MARGIN, SecretIndex, fingerprint

TARGET_MAX = 2048  # bytes kept of a target
HEADERS_MAX = 4096  # bytes kept of a request's headers
BODY_MAX = 4096  # bytes kept of a body, either way

Texts = tuple[bytes, bytes, bytes, bytes]
Redacted = tuple[bytes, bool]  # and whether it differs


class JournalRedactor:
    """Redacts what requests call a secret, and every secret in use on the server.

    The sandboxes of a server share one. Texts are cut after they are redacted.
    """

    def __init__(self, names: Redactor) -> None:
        self.index = SecretIndex()
        self._names = names
        self._forget()

    def put(self, owner: Hashable, secrets: Iterable[bytes]) -> None:
        """Replaces the secrets that are in use by an owner."""
        self.index.put(owner, secrets)

    def drop(self, owner: Hashable) -> None:
        """Removes an owner, whose secrets are no longer in use."""
        self.index.drop(owner)

    def _forget(self) -> None:
        version = self.index.version
        self._lines: Memo[tuple[bytes, bytes], Redacted] = Memo(self._line, size=_size)
        self._paths: Memo[bytes, Redacted] = Memo(self._path, size=len)
        self._bodies: Memo[bytes, Redacted] = Memo(self._body, size=len)
        self._header_names: Memo[bytes, bytes] = Memo(self._header_name, size=len)
        self._version = version  # last: until then other threads forget, too

    def _line(self, header: tuple[bytes, bytes]) -> Redacted:
        """Returns a header as a line, and whether it holds a secret that is in use."""
        name, value = header
        kept_name, kept = self._header_names[name], self._names.header(name, value)
        holds = kept_name != name
        if kept is value:
            kept = self.index.redact(value)
            holds = holds or kept is not value
        return kept_name + b": " + kept, holds

    def _header_name(self, name: bytes) -> bytes:
        """Returns a name, which HTTP libraries lower, escapes in it not."""
        redacted = self.index.redact(name)
        if redacted is name and PERCENT in name:
            plain = unquote_to_bytes(name).lower()
            return name if self.index.redact(plain) is plain else fingerprint(plain).encode()
        return redacted

    def _body(self, body: bytes) -> Redacted:
        named = self._names.body(body, BODY_MAX + MARGIN)
        redacted = self.index.redact(named, BODY_MAX)
        return redacted, redacted is not named

    def _path(self, path: bytes) -> Redacted:
        redacted = self.index.redact(path, TARGET_MAX)
        return redacted, redacted is not path

    def redact(self, request: Request, answer: bytes, *, refused: bool) -> Texts:
        """Returns target, headers, body and answer as they may be kept.

        The answer to a request that was not ``refused`` repeats no more than came in it by value.
        """
        if self._version != self.index.version:
            self._forget()
        redact, names, lines = self.index.redact, self._names, self._lines
        if request.query:
            target = request.raw_target_path + b"?" + names.query(request.query)
            kept_target = redact(target, TARGET_MAX)
            repeats = refused or kept_target is not target
        else:
            kept_target, holds = self._paths[request.raw_target_path]
            repeats = refused or holds
        found = [lines[header] for header in request.headers]
        headers = b"\r\n".join([line for line, _ in found])[:HEADERS_MAX]
        repeats = repeats or True in [holds for _, holds in found]
        kept_body = b""
        if request.body:
            kept_body, holds = self._bodies[request.body]
            repeats = repeats or holds
        kept_answer = redact(answer, BODY_MAX) if repeats else answer[:BODY_MAX]
        return kept_target, headers, kept_body, kept_answer


def _size(header: tuple[bytes, bytes]) -> int:
    return len(header[0]) + len(header[1])
