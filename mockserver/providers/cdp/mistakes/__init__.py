"""Explains why CDP rejected a request, which its own 401 never says."""

from mockserver.explain import Explanation, RejectedRequest
from mockserver.providers.cdp.mistakes import (
    claims,
    kid,
    missing_token,
    page_token,
    parameters,
    signature,
    token_form,
)


def explain(rejected: RejectedRequest) -> Explanation | None:
    """Returns the explanation, or None for reasons that are not specific to CDP."""
    explainer = EXPLAINERS.get(rejected.reason)
    return None if explainer is None else explainer(rejected)


def _explain_bad_token(rejected: RejectedRequest) -> Explanation:
    """Explains a bad token; its form is checked first, then its signature, then its claims."""
    if "claim" in rejected.facts:
        return claims.explain_claim(rejected)
    if "credential" in rejected.facts:
        return signature.explain_signature(rejected)
    return token_form.explain_form(rejected)


EXPLAINERS = {
    "missing_credential": missing_token.explain_missing_token,
    "unknown_credential": kid.explain_unknown_key,
    "bad_signature": _explain_bad_token,
    "expired": claims.explain_expired,
    "outside_window": claims.explain_outside_window,
    "bad_request": parameters.explain_parameter,
    "not_found": parameters.explain_not_found,
    "bad_page_token": page_token.explain_page_token,
}
