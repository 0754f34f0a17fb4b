"""A bounded sample of ``make fuzz``, against a server in a process of its own."""

from contract_tests.fuzz.run import Run
from contract_tests.fuzz.served import serving

SEED = 490
REQUESTS = 3_000
PATIENCE = 120  # seconds


def test_a_sample_of_the_fuzz_holds_every_invariant() -> None:
    with serving() as server:
        run = Run(server, SEED)
        run.run(REQUESTS, PATIENCE, print)
    assert run.requests >= REQUESTS
    assert run.counts["good"] > 100
    assert run.counts["balance checks"] > 2
    assert run.statuses["2xx"] > run.counts["good"]
