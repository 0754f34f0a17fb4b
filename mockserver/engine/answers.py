"""Good answers of steady routes, kept encoded until the ledger changes; bounded."""

from typing import Any

from mockserver.wire.message import Response

ENTRIES_MAX = 256
BODY_MAX = 64 * 1024


class Answers:
    """The answers that hold for one state of a ledger."""

    def __init__(self) -> None:
        self._version = -1
        self._kept: dict[Any, Response] = {}

    def get(self, key: Any, version: int) -> Response | None:
        """Returns what was kept for this version of the ledger."""
        if version != self._version:
            self._version = version
            self._kept.clear()
        return self._kept.get(key)

    def keep(self, key: Any, response: Response) -> None:
        """Keeps an answer of the version that ``get`` was last asked for."""
        if len(response.body) <= BODY_MAX and len(self._kept) < ENTRIES_MAX:
            self._kept[key] = response
