"""Signs requests: one object that ``requests`` and ``httpx`` accept as ``auth=``."""

import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from mockserver.errors import SettingError
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import Provider
from mockserver.model.suggestions import unknown
from mockserver.providers import discover
from mockserver.tools.signed_request import signed_example

SIGNED_HEADERS = ("Content-Type",)  # what a signature may depend on


class Auth:
    """Signs each request just before it is sent, by a provider's own scheme.

    auth = Auth("cpg", {"key_id": "cpg_test_key", "secret": "test_secret_do_not_use"})
    requests.get("http://127.0.0.1:8495/v1/balances", auth=auth)

    ``credential`` has the members that ``mockserver serve --json`` prints. ``now``
    returns the time in nanoseconds since the epoch. For other clients, ``headers()`` returns
    the headers to send. Raises SettingError for an unknown provider or an incomplete credential.
    """

    def __init__(
        self,
        provider: str | Provider,
        credential: Mapping[str, Any],
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.provider = _provider(provider) if isinstance(provider, str) else provider
        missing = [name for name in self.provider.members if name not in credential]
        if missing:
            raise SettingError(f"a {self.provider.name} credential needs {', '.join(missing)}")
        self._credential = SimpleNamespace(**credential)
        self._now = now

    def __call__(self, request: Any) -> Any:
        """Signs a prepared request of ``requests``, or a request of ``httpx``."""
        url = urlsplit(str(request.url))
        target, body = _target_and_body(request)
        headers = {
            name: request.headers[name] for name in SIGNED_HEADERS if name in request.headers
        }
        signed = self.sign(request.method, target, body, url.netloc, headers)
        if signed.target != target:
            signed_url = f"{url.scheme}://{url.netloc}{signed.target.decode()}"
            request.url = type(request.url)(signed_url)
        for name, value in signed.headers:
            request.headers[name.decode()] = value.decode()
        return request

    def headers(
        self, method: str, target: str | bytes, body: bytes = b"", host: str = ""
    ) -> dict[str, str]:
        """Returns the headers for a request whose scheme signs in headers.

        ``target`` is path and query exactly as they are sent, ``host`` the Host header.
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
        """Returns a signed request; send its method, target, headers and body unchanged."""
        raw = target if isinstance(target, bytes) else target.encode()
        path, _, query = raw.partition(b"?")
        raw_headers = tuple((k.encode(), v.encode()) for k, v in (headers or {}).items())
        unsigned = UnsignedRequest(method, host, path, query, raw_headers, body)
        return self.provider.sign(unsigned, self._credential, self._now())

    def example(self, base_url: str, query: str = "") -> UnsignedRequest:
        """Returns the provider's main read at a base URL, signed; ``query`` is added to its own."""
        return signed_example(self.provider, self._credential, base_url, self._now(), query)


def _provider(name: str) -> Provider:
    """Returns a provider by its name."""
    providers = discover()
    if name not in providers:
        raise SettingError(unknown("provider", name, providers))
    return providers[name]


def _target_and_body(request: Any) -> tuple[bytes, bytes]:
    """Returns the target, exactly as it is sent, and the body of a request of either library."""
    if not hasattr(request, "path_url"):
        return request.url.raw_path, request.read()
    body = request.body or b""
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        raise TypeError("only a body of type str or bytes can be signed")
    return request.path_url.encode(), body
