"""Explains why CDP rejected a request, which its own 401 never says."""

from collections.abc import Mapping

from mockserver.explain import Explainer, Explanation, RejectedRequest, by_reason
from mockserver.providers.cdp.mistakes import (
    claims,
    kid,
    missing_token,
    page_token,
    parameters,
    signature,
    token_form,
)


def _explain_bad_token(rejected: RejectedRequest) -> Explanation:
    """Explains a bad token; its form is checked first, then its signature, then its claims."""
    if "claim" in rejected.facts:
        return claims.explain_claim(rejected)
    if "credential" in rejected.facts:
        return signature.explain_signature(rejected)
    return token_form.explain_form(rejected)


EXPLAINERS: Mapping[str, Explainer] = {
    "missing_credential": missing_token.explain_missing_token,
    "unknown_credential": kid.explain_unknown_key,
    "bad_signature": _explain_bad_token,
    "expired": claims.explain_expired,
    "outside_window": claims.explain_outside_window,
    "bad_request": parameters.explain_parameter,
    "not_found": parameters.explain_not_found,
    "bad_page_token": page_token.explain_page_token,
}
explain = by_reason(EXPLAINERS)
