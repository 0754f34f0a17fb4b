"""Proves that ``mockserver certify`` judges rightly, with clients that are known.

``python -m contract_tests.prove.clients [WORD ...]``: the reference clients pass every check, and
each planted defect (``certify/planted``) is failed by the check that is meant for it and by no
unrelated ``must``. Ends with 1 unless all of it is so. WORD selects defects by provider or name.
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache

from contract_tests.certify import reference
from contract_tests.certify.defects import DEFECTS, Defect
from contract_tests.support.certifying import certified
from mockserver import MockServer
from mockserver.certify.model import FAIL, HARNESS_ERROR, NOT_APPLICABLE, PASS, WARNING, Result
from mockserver.providers import discover

WRONG = (FAIL, WARNING, HARNESS_ERROR)


@cache
def server() -> MockServer:
    """Returns the server of this process."""
    started = MockServer()
    started.start()
    return started


def misjudged(number: int) -> str:
    """Returns what is wrong with the verdicts on the n-th defect, empty if nothing is."""
    defect = DEFECTS[number]
    results = certified(server(), defect.client, defect.provider)
    failed = {result.check.id: result for result in results if result.verdict in WRONG}
    if defect.caught_by not in failed:
        return f"MISSED by {defect.caught_by}"
    return "; ".join(
        f"{id}: {r.complaint[:200]}" for id, r in failed.items() if unrelated(defect, r)
    )


def unrelated(defect: Defect, result: Result) -> bool:
    """Returns whether a failed check has nothing to do with a defect."""
    if result.verdict == HARNESS_ERROR:
        return True
    return result.check.level == "must" and not defect.allows(result.check)


def refused(provider: str) -> str:
    """Returns the checks that a reference client does not pass, empty if it passes all."""
    results = certified(server(), reference.balances, provider)
    return "; ".join(
        f"{result.check.id}: {result.verdict} {result.complaint[:200]}"
        for result in results
        if result.verdict not in (PASS, NOT_APPLICABLE)
    )


def proved(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yields what was tried, with what is wrong."""
    wanted = [n for n, d in enumerate(DEFECTS) if not words or any(w in d.id for w in words)]
    clients = [p for p in discover() if not words or p in words]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from zip(
            (f"{p}: reference client" for p in clients), pool.map(refused, clients), strict=True
        )
        yield from zip((DEFECTS[n].id for n in wanted), pool.map(misjudged, wanted), strict=True)


def main() -> int:
    wrong = 0
    for name, complaint in proved(sys.argv[1:]):
        print(f"{name:<60}{complaint or 'as expected'}", flush=True)
        wrong += bool(complaint)
    print(f"{wrong} misjudged")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
