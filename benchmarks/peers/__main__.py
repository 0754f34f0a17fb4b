"""Starts each peer and says what it does with the stub: ``python -m benchmarks.peers [CORE]``."""

import sys
import time

from msgspec.structs import replace

from benchmarks.peers import Peer, Stub, discover, missing, recorded, running
from benchmarks.peers.stub import ask
from benchmarks.subject import HOST


def main(core: str = "0") -> int:
    """Prints a line for each peer; returns 1 if one takes a wrong key for the right one."""
    stub = recorded()
    fooled = [peer.name for peer in discover() if not _check(peer, stub, int(core))]
    for line in (*missing(), *(f"{name}: TAKES ANY KEY" for name in fooled)):
        print(line)
    return 1 if fooled else 0


def _check(peer: Peer, stub: Stub, core: int) -> bool:
    asked = peer.asked(stub)
    wrong = replace(asked, headers=tuple((name, f"not-{value}") for name, value in asked.headers))
    began = time.perf_counter()
    with running(peer, stub, core) as server:
        taken = time.perf_counter() - began
        refused = ask(wrong, HOST, server.port)[0]
        size, memory = len(asked.body), server.memory
    kind = "the stub" if peer.comparable else "something else"
    print(
        f"{peer.name:<18} serves {kind} ({asked.media_type}, {size} bytes), "
        f"a wrong key gets {refused}, started in {taken:.2f} s, {memory:.0f} MB",
        flush=True,
    )
    return refused != asked.status or not peer.matches


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
