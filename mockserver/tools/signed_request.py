"""Signs a request for a provider at a base URL, as a client would."""

from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import Provider


def signed_example(
    provider: Provider, key: Any, base_url: str, now: int, query: str = ""
) -> UnsignedRequest:
    """Returns a provider's main read at a base URL, signed with ``key``.

    ``now`` is in nanoseconds since the epoch. ``query`` is added to the read's own query and
    replaces parameters of the same name.
    """
    example = provider.example(key)
    merged = _merged_query(example.query, query.encode())
    return signed_request(provider, key, base_url, now, replace(example, query=merged))


def signed_request(
    provider: Provider, key: Any, base_url: str, now: int, request: UnsignedRequest
) -> UnsignedRequest:
    """Returns a request signed with ``key``; its path is below the provider's base URL.

    ``now`` is in nanoseconds since the epoch. The signature covers the provider's own path; the
    request is sent to that path below the base URL's, which may have a prefix or ``/~id``.
    """
    host = urlsplit(base_url).netloc
    path = provider.full_path().encode() + request.path
    signed = provider.sign(replace(request, host=host, path=path), key, now)
    prefix = urlsplit(base_url).path.rstrip("/").removesuffix(provider.full_path())
    return replace(signed, path=prefix.encode() + signed.path)


def _merged_query(own: bytes, added: bytes) -> bytes:
    """Adds parameters to a query; they replace those of the same name."""
    names = {pair.partition(b"=")[0] for pair in added.split(b"&")}
    pairs = [pair for pair in own.split(b"&") if pair and pair.partition(b"=")[0] not in names]
    return b"&".join([*pairs, added] if added else pairs)
