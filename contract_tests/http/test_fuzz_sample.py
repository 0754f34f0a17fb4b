"""A bounded sample of ``make fuzz``, against a server in a process of its own."""

import pytest

from contract_tests.fuzz.run import Run
from contract_tests.fuzz.served import serving

SEED = 490
REQUESTS = 3_000
PATIENCE = 120  # seconds


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_a_sample_of_the_fuzz_holds_every_invariant(seed: int) -> None:
    with serving() as server:
        run = Run(server, seed)
        run.run(REQUESTS, PATIENCE, print)
    assert run.requests >= REQUESTS
    assert run.counts["good"] > 100
    assert run.counts["balance checks"] > 2
    assert run.statuses["2xx"] > run.counts["good"]
