"""The checks: one table for each theme, in the order of the report."""

from mockserver.certify.checks import (
    amounts,
    drift,
    limits,
    pages,
    refusals,
    requests,
    secrets,
    server_errors,
    syncing,
    transport,
)
from mockserver.certify.model import Check

THEMES = (
    *(amounts, requests, pages, refusals, limits, server_errors),
    *(transport, drift, syncing, secrets),
)
CHECKS: tuple[Check, ...] = tuple(check for theme in THEMES for check in theme.CHECKS)


def for_provider(provider: str) -> list[Check]:
    """Returns the checks of a provider's clients."""
    return [check for check in CHECKS if provider in check.providers]
