"""Requests prepared in a file: whole, signed, all of one length, so that wrk only has to read.

They are signed when they are written, so a file is good for as long as its
provider's window: 300 s for ``cpg``, 120 s for a token of ``cdp``.
"""

import itertools
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec import Struct

from mockserver.client.auth import Auth
from mockserver.engine.sandbox import Sandbox
from mockserver.model.http import UnsignedRequest
from mockserver.model.provider import Provider, ReplayCheck
from mockserver.model.times import SECOND
from mockserver.tools.credentials import credentials

BASE = "http://127.0.0.1"
COPIES = 10_000  # of a request that is always the same; wrk begins again behind them


STEP = SECOND // 1000  # between growing nonces: the coarsest unit that they are written in


class Prepared(Struct, frozen=True):
    """A file of requests of ``size`` bytes each; when ``distinct``, none is to be sent twice."""

    path: Path
    size: int
    distinct: bool


def is_growing(provider: Provider) -> bool:
    """Returns whether a request has to have a larger nonce than those before it.

    Such a provider rejects replays without a gate that remembers them.
    """
    return "replayed" in provider.errors and not _remembers(provider)


def _remembers(provider: Provider) -> bool:
    return any(isinstance(gate, ReplayCheck) for gate in provider.gates)


def _is_numbered(provider: Provider, key: dict[str, Any]) -> bool:
    """Returns whether a parameter of no meaning makes each request different.

    So it is where a signature is good once, and where it is a parameter itself.
    """
    unsigned = provider.example(SimpleNamespace(**key))
    return _remembers(provider) or example(provider, key).query != unsigned.query


def example(provider: Provider, credential: dict[str, Any], query: str = "") -> UnsignedRequest:
    """Returns the provider's main read, ``query`` added to its own, signed now."""
    return Auth(provider, credential).example(BASE, query)


def prepare(
    path: Path, sandbox: Sandbox, provider: Provider, count: int, fresh: str = ""
) -> Prepared:
    """Writes ``count`` requests with signatures of their own, or copies where one is enough.

    With ``fresh``, a type of key, each has a token of its own.
    """
    found = credentials(sandbox, provider)
    key = next(c for c in found.values() if c["key_type"] == fresh) if fresh else found["main"]
    if is_growing(provider):
        times = itertools.count(time.time_ns(), STEP)
        auth = Auth(provider, key, now=lambda: next(times))
        drafts = (auth.example(BASE) for _ in range(count))
        return _write(path, map(wire, drafts), distinct=True)
    numbered = _is_numbered(provider, key)
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
