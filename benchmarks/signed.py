"""Requests prepared in a file: whole, signed, all of one length, so that wrk only has to read.

They are signed when they are written, so a file is good for as long as its
provider's window: 300 s where that is shortest.
"""

from pathlib import Path
from typing import Any

from msgspec import Struct

from mockserver.edge.auth import Auth
from mockserver.edge.control.sandboxes import credentials
from mockserver.engine.sandbox import Sandbox
from mockserver.wire.message import Draft
from mockserver.wire.provider import Once, Provider


class Prepared(Struct, frozen=True):
    """A file of requests, each of ``size`` bytes."""

    path: Path
    size: int


def example(provider: Provider, credential: dict[str, Any], query: str = "") -> Draft:
    """Returns the provider's main read, ``query`` added to its own, signed now."""
    return Auth(provider, credential).example("http://127.0.0.1", query)


def prepare(path: Path, sandbox: Sandbox, provider: Provider, count: int) -> Prepared:
    """Writes ``count`` requests: all different where a signature works once, else all the same."""
    credential = credentials(sandbox, provider)["main"]
    once = any(isinstance(gate, Once) for gate in provider.gates)
    first = _wire(example(provider, credential, "n=00000000" if once else ""))
    with path.open("wb") as file:
        for n in range(count):
            one = _wire(example(provider, credential, f"n={n:08d}")) if once else first
            if len(one) != len(first):
                raise ValueError(f"{provider.name}: requests of {len(one)} and {len(first)} bytes")
            file.write(one)
    return Prepared(path, len(first))


def _wire(draft: Draft) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (draft.method.encode(), draft.target)]
    lines.append(b"Host: " + draft.host.encode())
    lines += [name + b": " + value for name, value in draft.headers]
    if draft.body:
        lines.append(b"Content-Length: %d" % len(draft.body))
    return b"\r\n".join([*lines, b"", draft.body])
