"""A sample of the planted defects is caught; ``make prove`` plants all of them."""

from contract_tests.prove.facts import defects, proofs, prove
from mockserver.providers import discover

PLANTED = {proof.fact.id: proof for proof in proofs()}

# Two of each provider, spread over its file.
SAMPLE = [
    found[at]
    for name in discover()
    for found in [defects(name)]
    for at in (len(found) // 3, -len(found) // 3)
]


def test_a_sample_of_the_defects_is_caught() -> None:
    wanted = [PLANTED[defect.fact] for defect in SAMPLE]
    assert {p.fact.id: verdict for p, verdict in prove(wanted, workers=2)} == {
        p.fact.id: "caught" for p in wanted
    }
