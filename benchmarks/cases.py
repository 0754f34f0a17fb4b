"""Which signed reads are measured, which subjects serve them, and what is wanted of each."""

from msgspec import Struct

from benchmarks.subject import BURDENED
from benchmarks.targets import Target

# Requests prepared for each second of a run, more than anybody answers: a bare server, and
# one that verifies a token each time.
REQUESTS = 80_000
TOKENS = 20_000

ROLES = ("bare", "floor", "ours")


class Case(Struct, frozen=True):
    """A provider's signed read; ``base`` is the role with which the others are compared.

    ``regenerate`` is the type of key that signs a token of its own for each request.
    """

    name: str
    provider: str
    target: Target
    roles: tuple[str, ...] = ROLES
    regenerate: str = ""

    @property
    def base(self) -> str:
        """The role that comes first."""
        return self.roles[0]

    @property
    def rate(self) -> int:
        """Requests to prepare for each second."""
        return TOKENS if self.regenerate else REQUESTS


READ = Target(0.50, 0.70)
SMALL = Target(0.55, 0.80)  # the key itself is sent, and the answer is one list
DIGEST = Target(0.45, 0.60)  # every request is signed anew
TOKEN = Target(0.90, 0.97)


def cases_of(provider: str) -> list[Case]:
    """Returns the cases of a provider; one without any is measured without floor and target."""
    found = [case for case in CASES if case.provider == provider]
    return found or [Case(provider, provider, READ, ("bare", "ours"))]


CASES = (
    Case("cdp, one token", "cdp", READ),
    Case("cdp, fresh Ed25519 tokens", "cdp", TOKEN, ("floor", "ours"), "Ed25519"),
    Case("cdp, fresh ES256 tokens", "cdp", TOKEN, ("floor", "ours"), "ES256"),
    Case("coinapi", "coinapi", SMALL, (*ROLES, *BURDENED)),
    Case("coinstats", "coinstats", READ),
    Case("coinw", "coinw", DIGEST),
    Case("cpg", "cpg", DIGEST, (*ROLES, *BURDENED)),
)
