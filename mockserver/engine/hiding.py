"""What may be kept of a request and its answer: secrets taken out by name, then by value."""

from collections.abc import Hashable, Iterable

from mockserver.wire.memo import Memo
from mockserver.wire.message import Request
from mockserver.wire.redaction import Redactor
from mockserver.wire.secret_index import SecretIndex

TARGET_MAX = 2048  # bytes kept of a target
HEADERS_MAX = 4096  # bytes kept of a request's headers
BODY_MAX = 4096  # bytes kept of a body, either way

Texts = tuple[bytes, bytes, bytes, bytes]
Line = tuple[bytes, bool]


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
        self._version = self.index.version
        self._lines: Memo[tuple[bytes, bytes], Line] = Memo(self._line, size=_size)

    def _line(self, header: tuple[bytes, bytes]) -> Line:
        """Returns a header as a line, and whether it holds a secret that is in use."""
        name, value = header
        line = name + b": " + self._names.header(name, value)
        redacted = self.index.redact(line)
        return redacted, redacted is not line

    def redact(self, request: Request, answer: bytes, *, refused: bool) -> Texts:
        """Returns target, headers, body and answer as they may be kept.

        The answer to a request that was not ``refused`` repeats no more than came in it by value.
        """
        if self._version != self.index.version:
            self._forget()
        redact, names, lines = self.index.redact, self._names, self._lines
        query = names.query(request.query)
        target = request.dialled + b"?" + query if query else request.dialled
        kept_target = redact(target, TARGET_MAX)
        found = [lines[header] for header in request.headers]
        headers = b"\r\n".join([line for line, _ in found])[:HEADERS_MAX]
        repeats = refused or kept_target is not target or any(holds for _, holds in found)
        kept_body = b""
        if request.body:
            body = names.body(request.body)
            kept_body = redact(body, BODY_MAX)
            repeats = repeats or kept_body is not body
        kept_answer = redact(answer, BODY_MAX) if repeats else answer[:BODY_MAX]
        return kept_target, headers, kept_body, kept_answer


def _size(header: tuple[bytes, bytes]) -> int:
    return len(header[0]) + len(header[1])
