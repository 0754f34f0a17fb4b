"""Other mock servers, serving a stub, for ``make bench`` to measure beside ours."""

from benchmarks.peers.running import running
from benchmarks.peers.stub import PROVIDER, Stub, recorded
from benchmarks.peers.table import Peer, discover, missing

__all__ = ["PROVIDER", "Peer", "Stub", "discover", "missing", "recorded", "running"]
