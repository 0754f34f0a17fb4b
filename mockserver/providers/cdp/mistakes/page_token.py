"""Explains a bad page token, as far as its content can be read."""

import base64
import binascii
from urllib.parse import unquote

import msgspec

from mockserver.explain import Explanation, RejectedRequest
from mockserver.model.paging import SEAL_SIZE, TOKEN_MAX
from mockserver.model.rule_table import Rule, first_rule
from mockserver.model.times import SECOND, duration_text, instant_text
from mockserver.providers.cdp.mistakes.lookup import key_of_token
from mockserver.providers.cdp.mistakes.parameters import path_parameters
from mockserver.providers.cdp.pages import (
    PAGE_SIZE,
    PAGE_SIZE_MAX,
    PagePosition,
    query_parameters,
)

FIX_UNCHANGED = "Send nextPageToken unchanged, escaped once, and nothing else."
WHITESPACE_OR_QUOTES = " \t\r\n\"'"


def explain_page_token(rejected: RejectedRequest) -> Explanation:
    """Explains a page token that is malformed, altered, expired or of another list or size."""
    token = query_parameters(rejected.request.query)["pageToken"]
    expected = f"the nextPageToken of the page before, of {_requested_list(rejected)}"
    row = first_rule(FORM_MISTAKES, token)
    if row is not None:
        return Explanation(row.name, expected, row.received, row.fix)
    position = _read_position(token)
    if position is None:
        received = "a text without a page token of this server"
        return Explanation("page token unreadable", expected, received, FIX_UNCHANGED)
    return _explain_position(rejected, position, expected)


def _requested_list(rejected: RejectedRequest) -> str:
    """Returns the name that page tokens have for the requested list."""
    account, _ = path_parameters(rejected.request)
    if account:
        return f"balances of {account}"
    parameters = query_parameters(rejected.request.query)
    type, owner = parameters.get("type"), parameters.get("owner")
    return f"accounts of {key_of_token(rejected).owner}, {type}, {owner}"


def _read_position(token: str) -> PagePosition | None:
    """Returns the content of a token without checking its seal, or None."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        return msgspec.json.decode(raw[:-SEAL_SIZE], type=PagePosition)
    except (binascii.Error, ValueError):
        return None


def _explain_position(
    rejected: RejectedRequest, position: PagePosition, expected: str
) -> Explanation:
    other_list = position.list_name != _requested_list(rejected)
    if other_list and _is_known_list(rejected, position.list_name):
        fix = "Start a list without a token, and send a token only to the list that returned it."
        received = f"one of {position.list_name}"
        return Explanation("page token of another list", expected, received, fix)
    if rejected.facts.get("late"):
        return _explain_expired(rejected, position, expected)
    if "late" in rejected.facts:  # a genuine token of this list, not expired
        size = _page_size(rejected)
        fix = f"Keep the same pageSize for all pages: {position.size} here."
        received = f"one for pageSize {position.size}, with pageSize {size}"
        return Explanation("page token of another size", expected, received, fix)
    return Explanation(
        "page token changed, or of another sandbox",
        f"{expected}, of this sandbox and seed, unchanged",
        "one that this sandbox did not issue in this form",
        f"Start again without a token. {FIX_UNCHANGED}",
    )


def _explain_expired(
    rejected: RejectedRequest, position: PagePosition, expected: str
) -> Explanation:
    ttl = duration_text(rejected.quirks["page_token_ttl"])
    issued = instant_text(position.timestamp // SECOND * SECOND)
    late = -(-rejected.facts["late"] // SECOND)
    return Explanation(
        "page token expired",
        f"{expected}, at most {ttl} old",
        f"one issued at {issued}, expired {late} s ago on the sandbox clock",
        "Start again without a token.",
    )


def _is_known_list(rejected: RejectedRequest, list_name: str) -> bool:
    """Returns whether some key sees the list; an altered token hardly names such a list."""
    owners = {key.owner for key in rejected.keys}
    accounts = {id for key in rejected.keys for id in key.accounts.values()}
    kind, _, rest = list_name.partition(" of ")
    return rest in accounts if kind == "balances" else rest.partition(",")[0] in owners


def _page_size(rejected: RejectedRequest) -> int:
    size = query_parameters(rejected.request.query).get("pageSize", PAGE_SIZE)
    return min(int(size), PAGE_SIZE_MAX)


def _is_quoted(token: str) -> bool:
    stripped = token.strip(WHITESPACE_OR_QUOTES)
    return token != stripped and _read_position(stripped) is not None


def _lacks_padding(token: str) -> bool:
    padded = (token + "=" * n for n in (1, 2))
    return not token.endswith("=") and any(_read_position(t) is not None for t in padded)


FORM_MISTAKES = (
    Rule(
        "page token too long",
        lambda token: len(token) > TOKEN_MAX,
        FIX_UNCHANGED,
        f"more than {TOKEN_MAX} characters",
    ),
    Rule(
        "page token escaped twice",
        lambda token: "%" in token and _read_position(unquote(token)) is not None,
        "Escape the token once, in your code or in the HTTP library.",
        "a token that still contains %3D",
    ),
    Rule(
        "whitespace or quotes around the page token",
        _is_quoted,
        FIX_UNCHANGED,
        "whitespace or quotes",
    ),
    Rule(
        "padding of the page token lost",
        _lacks_padding,
        "Send the token with its padding, escaped as %3D.",
        "a token without its =",
    ),
)
