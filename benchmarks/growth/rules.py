"""Rules of every kind, none of which the main read of a provider meets."""

from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.growth.asking import warmed
from benchmarks.growth.requests import Asks, asks
from benchmarks.growth.worlds import box, world
from mockserver.faults.parsing import RuleParser
from mockserver.model.provider import Provider
from mockserver.providers import discover

READ = "/v1/balances"

# The n-th rule of a kind; the first two are for others, where the provider is coinapi.
KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "other providers": lambda n: {"match": {"provider": ("cdp", "coinw", "cpg")[n % 3]}},
    "other methods": lambda n: {"match": {"method": "PUT"}},
    "other credentials": lambda n: {"match": {"credential": f"label-{n}"}},
    "another credential": lambda n: {"match": {"credential": "empty"}},
    "other paths": lambda n: {"match": {"path": f"{READ}/{n}"}},
    "paths below others": lambda n: {"match": {"path": f"/v1/{n}/*"}},
    "other headers": lambda n: {"match": {"header": {f"X-{n}": "1"}}},
    "other values of headers": lambda n: {"match": {"header": {"User-Agent": f"{n}/*"}}},
    "other parameters": lambda n: {"match": {"query": {f"p{n}": "1"}}},
    "other values of parameters": lambda n: {"match": {"query": {"n": str(n)}}},
    "one path, other parameters": lambda n: {"match": {"path": READ, "query": {"ref": f"r{n}"}}},
    "one header, others": lambda n: {
        "match": {"header": {"User-Agent": "python-requests/2.32", "X-More": f"u{n}"}}
    },
    "finished ones": lambda n: {"when": {"until": "1ms"}},
    "waiting ones": lambda n: {"when": {"from": "1h"}},
}


def ruled(kinds: Iterable[str]) -> Callable[[Provider, int], Asks]:
    """Makes what sets so many rules, of the kinds in turn."""
    makers = [KINDS[kind] for kind in kinds]

    def build(provider: Provider, size: int) -> Asks:
        sandbox = box(world(provider))
        parser = RuleParser(discover())
        close = {"deliver": {"close": True}}
        made = [{"name": f"r{n}"} | close | makers[n % len(makers)](n) for n in range(size)]
        sandbox.rulebook.put([parser.parse(rule) for rule in made], sandbox.clock.now())
        sandbox.clock.advance(10**9)
        return warmed(provider, asks(sandbox, provider))

    return build
