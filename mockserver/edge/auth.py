"""Signing for clients: one object that ``requests`` and ``httpx`` take as ``auth=``."""

import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from mockserver.providers import discover
from mockserver.wire.message import Draft
from mockserver.wire.provider import Provider


class Auth:
    """Signs each request, as it is about to be sent, with a provider's own scheme.

    ``credential`` has the members that ``mockserver serve --json`` prints. ``now``
    gives the time in nanoseconds. Raises ValueError for a provider or a credential
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
            raise ValueError(f"a {self.provider.name} credential needs {', '.join(missing)}")
        self._credential = SimpleNamespace(**credential)
        self._now = now

    def __call__(self, request: Any) -> Any:
        """Signs a prepared request of ``requests``, or a request of ``httpx``."""
        target, body = _parts(request)
        for name, value in self.headers(request.method, target, body).items():
            request.headers[name] = value
        return request

    def headers(self, method: str, target: str | bytes, body: bytes = b"") -> dict[str, str]:
        """Returns the headers for a request; ``target`` is path and query as transmitted."""
        raw = target if isinstance(target, bytes) else target.encode()
        signed = self.sign(method, raw, body)
        return {name.decode(): value.decode() for name, value in signed.headers}

    def sign(self, method: str, target: bytes, body: bytes = b"") -> Draft:
        """Returns the signed draft of a request."""
        path, _, query = target.partition(b"?")
        draft = Draft(method, "", path, query, body=body)
        return self.provider.sign(draft, self._credential, self._now())


def _known(name: str) -> Provider:
    providers = discover()
    if name not in providers:
        raise ValueError(f"no provider {name}: there are {', '.join(providers)}")
    return providers[name]


def _parts(request: Any) -> tuple[bytes, bytes]:
    """Returns target and body of a request of either library."""
    if hasattr(request, "path_url"):
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        if not isinstance(body, bytes):
            raise TypeError("only a body given as text or bytes can be signed")
        return request.path_url.encode(), body
    return request.url.raw_path, request.read()
