"""Destination addresses: whether one has a form that its network can have, without checksums."""

import re
from collections.abc import Mapping

BASE58 = "[1-9A-HJ-NP-Za-km-z]"

EVM = re.compile("0x[0-9a-fA-F]{40}")
TRON = re.compile(f"T{BASE58}{{33}}")
BITCOIN = re.compile(
    f"[13]{BASE58}{{25,34}}|bc1[02-9ac-hj-np-z]{{11,71}}|BC1[02-9AC-HJ-NP-Z]{{11,71}}"
)

# By the codes of the default world and the names in use beside them; of others none is known.
FORMS: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(("ETH", "ERC20", "BSC", "BEP20", "POLYGON", "MATIC", "ARBITRUM", "BASE"), EVM),
    **dict.fromkeys(("TRX", "TRON", "TRC20"), TRON),
    **dict.fromkeys(("BTC", "BITCOIN"), BITCOIN),
}


def is_possible(address: str, network: str) -> bool:
    """Returns whether a destination may be one of a network; of an unknown network any may."""
    form = FORMS.get(network.upper())
    return form is None or form.fullmatch(address) is not None
