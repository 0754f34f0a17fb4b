"""Redaction of requests and responses for the journal: secrets by name, then by value."""

import threading
from collections.abc import Hashable, Iterable
from urllib.parse import unquote_to_bytes

from mockserver.caches import MIB, Cache
from mockserver.model.http import Request
from mockserver.model.query import PERCENT
from mockserver.model.redaction import Redactor
from mockserver.model.secret_index import MARGIN, SECRET_MIN, SecretIndex, fingerprint

TARGET_MAX = 2048  # bytes kept of a target
HEADERS_MAX = 4096  # bytes kept of a request's headers
BODY_MAX = 4096  # bytes kept of a body, either way

REMOVED_MAX = 1024  # removed secrets after which the anchors are built anew

Texts = tuple[bytes, bytes, bytes, bytes]
Redacted = tuple[bytes, bool]  # and whether a secret was found by its value
HeaderName = tuple[bytes, bool, bool]  # the same, and whether values of this name are secret


class SecretsInUse(SecretIndex):
    """The secrets of any number of owners; for any thread. ``version`` grows with every change."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 0
        self._owners: dict[Hashable, tuple[bytes, ...]] = {}  # a set takes six times the memory
        self._removed = 0  # secrets whose anchors are still in the index
        self._lock = threading.Lock()

    def put(self, owner: Hashable, secrets: Iterable[bytes]) -> None:
        """Replaces the secrets of an owner."""
        new = frozenset(secret for secret in secrets if len(secret) >= SECRET_MIN)
        with self._lock:
            old = frozenset(self._owners.get(owner, ()))
            self._owners[owner] = tuple(new)
            self._change(new - old, old - new)

    def drop(self, owner: Hashable) -> None:
        """Removes an owner, and the secrets that no other owner has."""
        with self._lock:
            self._change(frozenset(), frozenset(self._owners.pop(owner, ())))

    def _change(self, added: frozenset[bytes], removed: frozenset[bytes]) -> None:
        owners, plain_count, plain_removed = self._secrets, len(self._plain), False
        for secret in added:
            owners[secret] = owners.get(secret, 0) + 1
            self._add(secret)
        for secret in removed:
            owners[secret] -= 1
            if not owners[secret]:
                del owners[secret]
                self._removed += 1
                plain_removed |= self._plain.pop(secret, b"") is None
        if self._removed > max(REMOVED_MAX, len(owners)):
            self._rebuild_anchors()
        if plain_removed or plain_count != len(self._plain):
            self._index_plain()
        if added or removed:
            self.version += 1

    def _rebuild_anchors(self) -> None:
        self._anchors, self._removed = {}, 0
        for secret in self._secrets:
            self._add(secret)


class JournalRedactor:
    """Redacts what requests name as a secret, and every secret in use on the server.

    The sandboxes of a server share one. Texts are cut after they are redacted.
    """

    def __init__(self, names: Redactor) -> None:
        self.index = SecretsInUse()
        self._names = names
        self._new_caches()

    def put(self, owner: Hashable, secrets: Iterable[bytes]) -> None:
        """Replaces the secrets that are in use by an owner."""
        self.index.put(owner, secrets)

    def drop(self, owner: Hashable) -> None:
        """Removes an owner, whose secrets are no longer in use."""
        self.index.drop(owner)

    def _new_caches(self) -> None:
        version = self.index.version
        self._lines: Cache[tuple[bytes, bytes], Redacted] = Cache(
            "redacted header lines", self._line, size=_size, room=20 * MIB
        )
        self._paths: Cache[bytes, Redacted] = Cache(
            "redacted paths", self._path, size=_double, room=6 * MIB
        )
        self._bodies: Cache[bytes, Redacted] = Cache(
            "redacted bodies", self._body, size=_double, room=8 * MIB
        )
        self._header_names: Cache[bytes, HeaderName] = Cache(
            "redacted header names", self._header_name, size=_name_size, room=1 * MIB
        )
        self._version = version  # last: until then other threads replace the caches, too

    def _line(self, header: tuple[bytes, bytes]) -> Redacted:
        name, value = header
        beginning, has_secret, is_secret = self._header_names[name]
        if is_secret:
            return beginning + fingerprint(value).encode(), has_secret
        redacted = self.index.redact(value)
        return beginning + redacted, has_secret or redacted is not value

    def _header_name(self, name: bytes) -> HeaderName:
        """Redacts a header name; HTTP libraries lower it, but not the escapes in it."""
        redacted = self.index.redact(name)
        if redacted is name and PERCENT in name:
            plain = unquote_to_bytes(name).lower()
            if self.index.redact(plain) is not plain:
                redacted = fingerprint(plain).encode()
        return redacted + b": ", redacted is not name, self._names.is_secret_header(name)

    def _body(self, body: bytes) -> Redacted:
        named = self._names.body(body, BODY_MAX + MARGIN)
        redacted = self.index.redact(named, BODY_MAX)
        return redacted, redacted is not named

    def _path(self, path: bytes) -> Redacted:
        redacted = self.index.redact(path, TARGET_MAX)
        return redacted, redacted is not path

    def redact(self, request: Request, response_body: bytes, *, refused: bool) -> Texts:
        """Returns target, headers, body and response body, redacted and cut.

        A response that is not ``refused`` is searched only when the request has a secret by value:
        it contains none otherwise.
        """
        if self._version != self.index.version:
            self._new_caches()
        redact, lines, signatures = self.index.redact, self._lines, self._names.signatures
        if request.query:
            plain = request.raw_target_path + b"?" + self._names.query(request.query)
            target = redact(plain, TARGET_MAX)
            search = refused or target is not plain
        else:
            target, has_secret = self._paths[request.raw_target_path]
            search = refused or has_secret
        texts = []
        for header in request.headers:
            line, has_secret = self._line(header) if header[0] in signatures else lines[header]
            texts.append(line)
            if has_secret:
                search = True
        headers = b"\r\n".join(texts)[:HEADERS_MAX]
        body = b""
        if request.body:
            body, has_secret = self._bodies[request.body]
            search = search or has_secret
        response = redact(response_body, BODY_MAX) if search else response_body[:BODY_MAX]
        return target, headers, body, response


def _size(header: tuple[bytes, bytes]) -> int:
    return 200 + 2 * (len(header[0]) + len(header[1]))


def _name_size(name: bytes) -> int:
    return 300 + 2 * len(name)


def _double(text: bytes) -> int:
    return 100 + 2 * len(text)
