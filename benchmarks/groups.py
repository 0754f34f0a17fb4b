"""Who runs against whom: a group for each signed read, and one of us beside the peers."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from benchmarks import peers, signed, subject
from benchmarks.cases import Case
from benchmarks.peers.stub import PROVIDER
from benchmarks.rounds import CONNECTIONS, Entrant, Group
from mockserver.http.exchange import create_exchange
from mockserver.model.http import UnsignedRequest
from mockserver.providers import discover

PEERS = "peers"
OURS = "ours"
WARM_UP = 1  # second


class Ground(Struct, frozen=True):
    """Where and for how long: the server's core, seconds of a run, a folder for requests."""

    core: int
    seconds: int
    folder: Path
    warm: bool

    def requests(self, provider: str, count: int, fresh: str = "") -> signed.Prepared:
        """Signs so many requests."""
        sandbox = create_exchange().sandboxes.default
        return signed.prepare(self.folder / "requests", sandbox, discover()[provider], count, fresh)

    def warm_up(self, seconds: float = WARM_UP) -> int:
        """Returns for how many seconds to warm up."""
        return int(seconds) if self.warm else 0


def connections(provider: str) -> tuple[int, ...]:
    """Returns over how many connections a provider is asked: one where nonces have to grow."""
    return (1,) if signed.is_growing(discover()[provider]) else CONNECTIONS


def of_case(case: Case, ground: Ground) -> Group:
    """Returns the roles of a case."""
    seconds = ground.seconds + ground.warm_up()
    return Group(
        name=case.name,
        base=case.base,
        entrants=tuple(_our(role, case.provider, ground) for role in case.roles),
        prepare=partial(ground.requests, case.provider, case.rate * seconds, case.regenerate),
        connections=connections(case.provider),
    )


def of_peers(found: Sequence[peers.Peer], ground: Ground) -> Group:
    """Returns our own read, and each peer with the same answer in a stub."""
    stub = peers.recorded()
    return Group(
        name=PEERS,
        base=OURS,
        entrants=(
            _our(OURS, PROVIDER, ground),
            *(_peer(peer, stub, ground) for peer in found),
        ),
        prepare=partial(ground.requests, PROVIDER, signed.COPIES),
    )


def _our(role: str, provider: str, ground: Ground) -> Entrant:
    start = partial(subject.running, role, provider, ground.core)
    return Entrant(role, ground.warm_up(), start)


def _peer(peer: peers.Peer, stub: peers.Stub, ground: Ground) -> Entrant:
    start = partial(peers.running, peer, stub, ground.core)
    own = None if peer.comparable else _requests(peer, peer.asked(stub), ground)
    return Entrant(peer.name, ground.warm_up(peer.warm_up), start, own)


def _requests(peer: peers.Peer, stub: peers.Stub, ground: Ground) -> signed.Prepared:
    """Writes what a peer is asked that serves something else."""
    headers = tuple((name.encode(), value.encode()) for name, value in stub.headers)
    path, query = stub.path.encode(), stub.query.encode()
    draft = UnsignedRequest(stub.method, subject.HOST, path, query, headers)
    return signed.copies(ground.folder / peer.name, draft)
