"""Why CDP refused, which answers every failed authentication in one way."""

from mockserver.explain import Explanation, RejectedRequest
from mockserver.providers.cdp.mistakes import claims, kid, missing, reads, signature, token


def explain(refused: RejectedRequest) -> Explanation | None:
    """Returns why a request was refused, or None where that needs no knowledge of CDP."""
    why = WHY.get(refused.reason)
    return None if why is None else why(refused)


def _bad(refused: RejectedRequest) -> Explanation:
    """Explains a token: its form comes first, then its signature, then its claims."""
    if "claim" in refused.facts:
        return claims.said(refused)
    if "credential" in refused.facts:
        return signature.wrong(refused)
    return token.unreadable(refused)


WHY = {
    "missing_credential": missing.missing,
    "unknown_credential": kid.unknown,
    "bad_signature": _bad,
    "expired": claims.expired,
    "outside_window": claims.outside,
    "bad_request": reads.parameter,
    "not_found": reads.absent,
    "bad_page_token": reads.page_token,
}
