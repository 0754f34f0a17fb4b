"""Explains why CDP rejected a request, which its own 401 never says."""

from mockserver.explain import Explanation, RejectedRequest, by_reason
from mockserver.providers.cdp.mistakes import claims, reads, signature, token


def _explain_bad_token(rejected: RejectedRequest) -> Explanation | None:
    """Explains a bad token; its form is checked first, then its signature, then its claims."""
    if "claim" in rejected.facts:
        return claims.explain_claim(rejected)
    if "credential" in rejected.facts:
        return signature.explain_signature(rejected)
    return token.explain_form(rejected)


explain = by_reason(
    {
        "missing_credential": token.explain_missing,
        "unknown_credential": token.explain_unknown_key,
        "bad_signature": _explain_bad_token,
        "expired": claims.explain_time,
        "outside_window": claims.explain_time,
        "bad_request": reads.explain_parameter,
        "not_found": reads.explain_not_found,
        "bad_page_token": reads.explain_parameter,
    }
)
