"""``python -m contract_tests.fuzz --requests 1000000 --seed 490``."""

import argparse
import signal
import sys

from contract_tests.fuzz.run import Run
from contract_tests.fuzz.served import Wrong, serving


def main() -> int:
    """Runs, prints where the run is, and a summary; returns 1 when an invariant does not hold."""
    parser = argparse.ArgumentParser(prog="python -m contract_tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="how many are sent")
    parser.add_argument("--seed", type=int, default=490, help="what every draw depends on")
    parser.add_argument("--seconds", type=float, default=3600, help="ends the run earlier")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server ends with the fuzz
    with serving() as server:
        run = Run(server, options.seed)
        try:
            run.run(options.requests, options.seconds, lambda line: print(line, flush=True))
        except Wrong as wrong:
            print("\n".join(run.summary()))
            print(f"FAILED: {wrong}")
            return 1
    print("\n".join(run.summary()))
    print("passed: no 5xx, every request answered, no error logged, balances exact, memory flat")
    return 0


if __name__ == "__main__":
    sys.exit(main())
