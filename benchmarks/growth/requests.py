"""Signed requests for a sandbox, as many as are wanted, as the server would receive them."""

import itertools
from collections.abc import Callable, Sequence

from benchmarks.growth.worlds import person
from mockserver.client.auth import Auth
from mockserver.engine.sandbox import Sandbox
from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.provider import Provider, ReplayCheck
from mockserver.tools.credentials import credentials

HOST = "http://127.0.0.1"

Ask = tuple[Sandbox, Request]
Asks = Callable[[int], Sequence[Ask]]  # makes so many requests that the sandbox will accept


def request(draft: UnsignedRequest, provider: Provider, peer: str = "127.0.0.1") -> Request:
    """Returns a request as the server would receive it."""
    headers = [(b"host", b"127.0.0.1"), (b"user-agent", b"python-requests/2.32")]
    headers += [(name.lower(), _read(value)) for name, value in draft.headers]
    path = _read(draft.path)
    return Request.of(
        draft.method,
        path,
        _read(draft.query),
        headers,
        _read(draft.body),
        base_path=provider.base_path.encode(),
        raw_target_path=path,
        peer=peer,
    )


def _read(data: bytes) -> bytes:
    """Returns a copy, as a socket would: of bytes seen before, Python remembers the hash."""
    return bytes(bytearray(data))


def main_read(auth: Auth, n: int) -> UnsignedRequest:
    """Returns the provider's main read, the n-th of its kind."""
    return auth.example(HOST, f"n={n:08d}" if once(auth.provider) else "")


def get(target: str) -> Callable[[Auth, int], UnsignedRequest]:
    """Returns what signs a GET of one target, numbered where a signature works once."""
    joint = "&" if "?" in target else "?"

    def draft(auth: Auth, n: int) -> UnsignedRequest:
        numbered = f"{target}{joint}n={n:08d}" if once(auth.provider) else target
        return auth.sign("GET", numbered, host="127.0.0.1")

    return draft


def once(provider: Provider) -> bool:
    """Tells whether a signature of the provider works once."""
    return any(isinstance(gate, ReplayCheck) for gate in provider.gates)


def asks(
    sandbox: Sandbox,
    provider: Provider,
    draft: Callable[[Auth, int], UnsignedRequest] = main_read,
    callers: int = 1,
    peers: int = 1,
) -> Asks:
    """Returns what makes requests: the callers take turns, and so do the addresses."""
    known = credentials(sandbox, provider)
    auths = [Auth(provider, known[person(n).label]) for n in range(callers)]
    numbers = itertools.count()
    anew = once(provider)
    made: dict[int, UnsignedRequest] = {}

    def one(n: int) -> Ask:
        caller = n % callers
        if anew or caller not in made:
            made[caller] = draft(auths[caller], n)
        return sandbox, request(made[caller], provider, _address(n % peers))

    return lambda many: [one(n) for n in itertools.islice(numbers, many)]


def _address(n: int) -> str:
    return f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
