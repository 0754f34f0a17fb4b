"""The settings of servers and sandboxes, for type checkers and completion."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

from mockserver.client.names import LimitName, Quirks
from mockserver.client.process_clock import AuthClock
from mockserver.model.times import Duration

Limits = Mapping[LimitName, str | None]  # ``N/DURATION`` or ``off``; None is the default

__all__ = ["Limits", "Quirks", "SandboxSettings"]


class SandboxSettings(TypedDict, total=False):
    """The settings of a sandbox; those left out are the server's."""

    world: str | Path | Mapping[str, Any]
    scenario: str | Path | Mapping[str, Any]
    seed: int
    quirks: Quirks
    limits: Limits | Literal["default", "off"]
    ttl: Duration
    auth_clock: AuthClock
    fault_headers: bool
    snapshot: str | Path | Mapping[str, Any]
