"""All planted client defects, and the ten that every test run sees."""

from contract_tests.certify.planted import (
    drift,
    limits,
    money,
    pages,
    refusals,
    requests,
    secrets,
    syncing,
    wire,
)
from contract_tests.certify.planting import DEFECTS, Defect

THEMES = (money, refusals, limits, wire, drift, pages, requests, syncing, secrets)
SAMPLE = (
    *("cpg: reads amounts as floats", "coinapi: shows a 490 as empty"),
    *("cdp: reads the first page alone", "cdp: walks in a circle", "coinw: trusts the status 200"),
    *("cpg: signs once for all retries", "coinstats: never sleeps", "cdp: shows a 401 as empty"),
    *("coinapi: follows redirects with its key", "cpg: has the secret in its errors"),
)


def sample() -> list[Defect]:
    """Returns the ten defects of ``make test``."""
    return [defect for defect in DEFECTS if defect.id in SAMPLE]
