"""What may be kept of a request and its answer: secrets taken out by name, then by value."""

from collections.abc import Collection, Sequence
from urllib.parse import unquote_to_bytes

from mockserver.wire.memo import Memo
from mockserver.wire.message import Request
from mockserver.wire.query import PERCENT
from mockserver.wire.redaction import Redactor, fingerprint, hide

ROOM = 32 * 1024  # for headers that were looked at, in each sandbox

Texts = tuple[bytes, bytes, bytes, bytes]


class Hiding:
    """Takes out what requests call a secret, and the ``secrets`` that a sandbox knows.

    ``whole`` tells whether these are all that there are, or the caller's are to be added.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self.know((), whole=True)

    def know(self, secrets: Sequence[bytes], *, whole: bool) -> None:
        """Puts secrets in the place of those that were known."""
        self.secrets = secrets
        self.whole = whole
        self._written = [(secret.decode("latin-1"), secret) for secret in secrets]
        self._in_headers = Memo(self._find, size=len, room=ROOM)

    def _find(self, text: bytes) -> list[bytes]:
        written = text.decode("latin-1")  # to look for a text in a text is five times faster
        return [secret for known, secret in self._written if known in written]

    def texts(self, request: Request, answer: bytes, callers: Collection[bytes]) -> Texts:
        """Returns target, headers, body and answer as they may be kept.

        ``callers`` are secrets to look for beside those that are known.
        """
        redactor = self._redactor
        query = redactor.query(request.query)
        target = request.dialled + b"?" + query if query else request.dialled
        headers, odd = redactor.headers(request.headers)
        body = redactor.body(request.body)
        plain = unquote_to_bytes(query) if PERCENT in query else b""
        asked = b"\n".join((target, body, plain)) if body or plain else target
        secrets = {*self._in_headers[odd], *self._find(asked)}
        secrets.update(secret for secret in callers if secret in asked or secret in odd)
        if not secrets:
            return target, headers, body, answer
        if any(secret in plain and secret not in query for secret in secrets):
            target = request.dialled + b"?" + fingerprint(query).encode()
        long_first = sorted(secrets, key=len, reverse=True)  # one may be a part of another
        texts = (target, headers, body, answer)
        target, headers, body, answer = (hide(text, long_first) for text in texts)
        return target, headers, body, answer
