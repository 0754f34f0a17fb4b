"""Every provider has what the suite asks for, and one that is new stops no test of the others."""

import pytest

from contract_tests.support.evidence import EVIDENCE, complaint
from mockserver.providers import discover


@pytest.mark.parametrize("path", EVIDENCE)
@pytest.mark.parametrize("provider", discover())
def test_a_provider_has_what_the_suite_asks_for(provider: str, path: str) -> None:
    missing = complaint(provider, path)
    if missing:
        pytest.fail(missing, pytrace=False)
