"""What was derived from a ledger, kept until the ledger changes; bounded in entries."""

from typing import Any

ENTRIES_MAX = 256


class Kept:
    """Values that hold for one state of a ledger: encoded answers, sorted rows.

    Beyond ENTRIES_MAX the one put first is dropped.
    """

    def __init__(self) -> None:
        self._version = -1
        self._values: dict[Any, Any] = {}

    def get(self, key: Any, version: int) -> Any:
        """Returns what was put there for this version of the ledger, or None."""
        if version != self._version:
            self._version = version
            self._values.clear()
        return self._values.get(key)

    def put(self, key: Any, value: Any) -> None:
        """Keeps a value for the version that ``get`` was last asked for."""
        if len(self._values) >= ENTRIES_MAX:
            del self._values[next(iter(self._values))]
        self._values[key] = value
