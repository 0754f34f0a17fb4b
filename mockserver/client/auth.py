"""Signing for clients: one object that ``requests`` and ``httpx`` take as ``auth=``."""

import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from mockserver.errors import SettingError
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import Provider
from mockserver.model.suggestions import unknown
from mockserver.providers import discover

# The headers that a signature may depend on.
CARRIED = ("Content-Type",)


class Auth:
    """Signs each request, as it is about to be sent, with a provider's own scheme.

    ``credential`` has the members that ``mockserver serve --json`` prints. ``now``
    gives the time in nanoseconds. Raises SettingError for a provider or a credential
    that cannot be. For other clients ``headers()`` returns what to send.
    """

    def __init__(
        self,
        provider: str | Provider,
        credential: Mapping[str, Any],
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.provider = _known(provider) if isinstance(provider, str) else provider
        missing = [name for name in self.provider.members if name not in credential]
        if missing:
            raise SettingError(f"a {self.provider.name} credential needs {', '.join(missing)}")
        self._credential = SimpleNamespace(**credential)
        self._now = now

    def __call__(self, request: Any) -> Any:
        """Signs a prepared request of ``requests``, or a request of ``httpx``."""
        url = urlsplit(str(request.url))
        target, body = _parts(request)
        headers = {name: request.headers[name] for name in CARRIED if name in request.headers}
        signed = self.sign(request.method, target, body, url.netloc, headers)
        if signed.target != target:
            told = f"{url.scheme}://{url.netloc}{signed.target.decode()}"
            request.url = type(request.url)(told)
        for name, value in signed.headers:
            request.headers[name.decode()] = value.decode()
        return request

    def headers(
        self, method: str, target: str | bytes, body: bytes = b"", host: str = ""
    ) -> dict[str, str]:
        """Returns the headers for a request whose scheme signs in headers.

        ``target`` is path and query as transmitted, ``host`` what the Host header will say.
        """
        signed = self.sign(method, target, body, host)
        return {name.decode(): value.decode() for name, value in signed.headers}

    def sign(
        self,
        method: str,
        target: str | bytes,
        body: bytes = b"",
        host: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> UnsignedRequest:
        """Returns the signed draft of a request: send its method, target, headers and body."""
        raw = target if isinstance(target, bytes) else target.encode()
        path, _, query = raw.partition(b"?")
        carried = tuple((k.encode(), v.encode()) for k, v in (headers or {}).items())
        draft = UnsignedRequest(method, host, path, query, carried, body)
        return self.provider.sign(draft, self._credential, self._now())

    def example(self, base_url: str, query: str = "") -> UnsignedRequest:
        """Returns the provider's main read at a base URL, ``query`` added to its own, signed."""
        return signed_example(self.provider, self._credential, base_url, self._now(), query)


def signed_example(
    provider: Provider, key: Any, base_url: str, now: int, query: str = ""
) -> UnsignedRequest:
    """Returns a provider's main read as ``key`` sends it to a base URL; ``now`` in nanoseconds.

    What is signed is the provider's own path, what is sent has a prefix or ``/~id`` before it.

    ``query`` is added to what the read has already; a parameter given takes the place of
    the read's own.
    """
    example = provider.example(key)
    host = urlsplit(base_url).netloc
    path = provider.full_path().encode() + example.path
    whole = _joined(example.query, query.encode())
    signed = provider.sign(replace(example, host=host, path=path, query=whole), key, now)
    before = urlsplit(base_url).path.rstrip("/").removesuffix(provider.full_path())
    return replace(signed, path=before.encode() + signed.path)


def _joined(own: bytes, given: bytes) -> bytes:
    """Adds parameters to those of an example; one of the same name takes its place."""
    names = {pair.partition(b"=")[0] for pair in given.split(b"&")}
    kept = [pair for pair in own.split(b"&") if pair and pair.partition(b"=")[0] not in names]
    return b"&".join([*kept, given] if given else kept)


def _known(name: str) -> Provider:
    providers = discover()
    if name not in providers:
        raise SettingError(unknown("provider", name, providers))
    return providers[name]


def _parts(request: Any) -> tuple[bytes, bytes]:
    """Returns target, as transmitted, and body of a request of either library."""
    if not hasattr(request, "path_url"):
        return request.url.raw_path, request.read()
    body = request.body or b""
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        raise TypeError("only a body given as text or bytes can be signed")
    return request.path_url.encode(), body
