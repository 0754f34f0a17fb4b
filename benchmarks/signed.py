"""Requests prepared in a file: whole, signed, all of one length, so that wrk only has to read.

They are signed when they are written, so a file is good for as long as its
provider's window: 300 s for ``cpg``, 120 s for a token of ``cdp``.
"""

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from mockserver.client.auth import Auth
from mockserver.engine.sandbox import Sandbox
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import Provider
from mockserver.tools.credentials import credentials

# Where the signature covers the query, a parameter of no meaning makes each one different.
NUMBERED = ("coinw", "cpg")
COPIES = 10_000  # of a request that is always the same; wrk begins again behind them


class Prepared(Struct, frozen=True):
    """A file of requests of ``size`` bytes each; when ``distinct``, none is to be sent twice."""

    path: Path
    size: int
    distinct: bool


def example(provider: Provider, credential: dict[str, Any], query: str = "") -> UnsignedRequest:
    """Returns the provider's main read, ``query`` added to its own, signed now."""
    return Auth(provider, credential).example("http://127.0.0.1", query)


def prepare(
    path: Path, sandbox: Sandbox, provider: Provider, count: int, fresh: str = ""
) -> Prepared:
    """Writes ``count`` requests with signatures of their own, or copies where one is enough.

    With ``regenerate``, a type of key, each has a token of its own.
    """
    found = credentials(sandbox, provider)
    key = next(c for c in found.values() if c["key_type"] == fresh) if fresh else found["main"]
    numbered = provider.name in NUMBERED
    if not (numbered or fresh):
        return copies(path, example(provider, key))
    queries = (f"n={n:08d}" if numbered else "" for n in range(count))
    return _write(path, (wire(example(provider, key, query)) for query in queries), distinct=True)


def copies(path: Path, draft: UnsignedRequest) -> Prepared:
    """Writes the same request again and again."""
    return _write(path, itertools.repeat(wire(draft), COPIES), distinct=False)


def _write(path: Path, requests: Iterable[bytes], distinct: bool) -> Prepared:
    sizes = set()
    with path.open("wb") as file:
        for one in requests:
            sizes.add(file.write(one))
    if len(sizes) != 1:
        raise ValueError(f"prepared requests of {len(sizes)} lengths: {sorted(sizes)}")
    return Prepared(path, sizes.pop(), distinct)


def wire(draft: UnsignedRequest) -> bytes:
    """Returns the request as it is transmitted."""
    lines = [b"%s %s HTTP/1.1" % (draft.method.encode(), draft.target)]
    lines.append(b"Host: " + draft.host.encode())
    lines += [name + b": " + value for name, value in draft.headers]
    if draft.body:
        lines.append(b"Content-Length: %d" % len(draft.body))
    return b"\r\n".join([*lines, b"", draft.body])
