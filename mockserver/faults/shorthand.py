"""Short forms of mutations and deliveries: a name alone, or ``true``, means the usual value.

Files are strict; the keywords of Python and the fault headers take these as well.
"""

from collections.abc import Mapping
from typing import Any

USUAL = {"reset": "before", "cut": 0.5, "truncate_json": 0.5, "hang": "1h"}  # the others: true


def expanded(faults: Any) -> Any:
    """Returns faults as a rule in a file has them: ``reset`` becomes ``{"reset": "before"}``."""
    if isinstance(faults, str):
        faults = {faults: True}
    elif isinstance(faults, list | tuple | set | frozenset):
        faults = dict.fromkeys(map(str, faults), True)
    if not isinstance(faults, Mapping):
        return faults
    return {
        name: USUAL.get(name, value) if value is True else value for name, value in faults.items()
    }
