"""Why CDP refused, which answers every failed authentication in one way."""

from mockserver.providers.cdp import (
    mistakes_claims,
    mistakes_kid,
    mistakes_missing,
    mistakes_reads,
    mistakes_signature,
    mistakes_token,
)
from mockserver.wire.explain import Explanation, Refused


def explain(refused: Refused) -> Explanation | None:
    """Returns why a request was refused, or None where that needs no knowledge of CDP."""
    why = WHY.get(refused.reason)
    return None if why is None else why(refused)


def _bad(refused: Refused) -> Explanation:
    """Explains a token: its form comes first, then its signature, then its claims."""
    if "claim" in refused.facts:
        return mistakes_claims.said(refused)
    if "credential" in refused.facts:
        return mistakes_signature.wrong(refused)
    return mistakes_token.unreadable(refused)


WHY = {
    "missing_credential": mistakes_missing.missing,
    "unknown_credential": mistakes_kid.unknown,
    "bad_signature": _bad,
    "expired": mistakes_claims.expired,
    "outside_window": mistakes_claims.outside,
    "bad_request": mistakes_reads.parameter,
    "not_found": mistakes_reads.absent,
    "bad_page_token": mistakes_reads.page_token,
}
