"""One server to be measured: ``python -m benchmarks.subject ROLE PROVIDER CORE``.

The role is ``bare``, ``floor``, ``ours``, or one of BURDENED: ours with something more to do.
All run the product's own ``Server``, so all have its uvicorn settings; ours on the product's
HTTP protocol, the others on uvicorn's own.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from benchmarks import bare, signed, tree
from mockserver.faults.parsing import RuleParser
from mockserver.http.exchange import Exchange, create_exchange
from mockserver.http.server import Server, bind
from mockserver.model.provider import Provider
from mockserver.model.times import SECOND
from mockserver.providers import discover
from mockserver.tools.credentials import credentials

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"


class Subject(Struct, frozen=True):
    """A running server: its process, whose children count too, and where it listens."""

    pid: int
    port: int

    @property
    def cpu(self) -> float:
        """Seconds of CPU used so far, user and system."""
        return tree.cpu(self.pid)

    @property
    def memory(self) -> float:
        """Resident memory in MB."""
        return tree.memory(self.pid)


@contextlib.contextmanager
def running(role: str, provider: str, core: int) -> Iterator[Subject]:
    """Serves for the length of the block, on one core."""
    command = [sys.executable, "-m", "benchmarks.subject", role, provider, str(core)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise RuntimeError(f"{role} {provider} did not start")
            yield Subject(process.pid, int(line))
        finally:
            process.terminate()


# What a load test would use up.
ENDLESS = {"coinstats.credits": "999999999999"}


def raised(providers: Mapping[str, Provider]) -> dict[str, str]:
    """Returns every limit switched on and out of reach."""
    return {f"{p.name}.{li.name}": "1000000000/60s" for p in providers.values() for li in p.limits}


RULES = 10


def rules(app: Exchange, name: str) -> None:
    """Sets rules that every request of a provider is compared with, and none matches."""
    made = [
        {
            "name": f"rule-{n}",
            "match": {"provider": name, "header": {"x-rule": f"{n}"}},
            "answer": {"reject": "internal_error"},
        }
        for n in range(RULES)
    ]
    sandbox, parser = app.sandboxes.default, RuleParser(app.providers)
    sandbox.rulebook.put([parser.parse(rule) for rule in made], sandbox.clock.now())


def skew(app: Exchange, name: str) -> None:
    """Skews the clock that judges signatures, by less than any window."""
    app.sandboxes.default.clock.skew_by(SECOND)


BURDENED = {"ours, ten rules": rules, "ours, skewed clock": skew}


def main(role: str, name: str, core: str) -> None:
    """Serves until told to stop; prints the port when ready."""
    os.sched_setaffinity(0, {int(core)})
    providers = discover()
    app: Any = create_exchange(limits=raised(providers), quirks=ENDLESS)
    sockets = bind(HOST, 0, providers)
    port = sockets[name].getsockname()[1]
    ours = role == "ours" or role in BURDENED
    if role in BURDENED:
        BURDENED[role](app, name)
    elif not ours:
        app = _least(role, app, providers[name])
    http = None if ours else "httptools"
    Server(app, sockets, lambda: print(port, flush=True), http=http).serve_forever()


def _least(role: str, app: Exchange, provider: Provider) -> bare.Bare:
    known = credentials(app.sandboxes.default, provider)
    least = bare.record(app, provider.name, signed.example(provider, known["main"]))
    if role == "bare":
        return least
    from benchmarks import floor  # brings a library that is not to count as memory of others

    return floor.Floor(least, floor.check(provider.name, known))


if __name__ == "__main__":
    main(*sys.argv[1:])
