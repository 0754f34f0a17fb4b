"""Why a good token got no answer: a parameter, an account or an asset, a page token."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from mockserver.explain import Explanation, RejectedRequest, nearest, printable
from mockserver.model import durations as duration
from mockserver.model import instants as moment
from mockserver.model.durations import SECOND
from mockserver.model.http import Request
from mockserver.model.paging import SEAL_SIZE, TOKEN_MAX
from mockserver.providers.cdp.mistakes.names import caller, named, secret_of
from mockserver.providers.cdp.pages import SIZE, SIZE_MAX, PagePosition, page_parameter
from mockserver.providers.cdp.world import ACCOUNT_TYPES, PREFIX, SYMBOL_MAX

LISTED = 5  # accounts that are told
RETURNED = "Send nextPageToken as it was returned, escaped once, and nothing else."


def _parts(request: Request) -> tuple[str, str]:
    """Returns account and asset of the path, empty where there is none."""
    parts = [unquote(part) for part in request.path.decode("latin-1").split("/")]
    parts += [""] * 3
    return parts[4], parts[6]


def _told(refused: RejectedRequest, text: str) -> str:
    """Shows a text of the request, unless it is a secret."""
    if secret_of(refused, text) is not None:
        return named(refused, text)
    return printable(text.encode("utf-8", "replace"))


def _accounts(key: Any) -> str:
    """Lists which accounts a key sees."""
    told = [f"{label} {id}" for label, id in key.accounts.items()]
    more = ", ..." if len(told) > LISTED else ""
    return f"the key {key.label} sees {', '.join(told[:LISTED]) or 'no account'}{more}"


# Parameters


def parameter(refused: RejectedRequest) -> Explanation:
    """Explains the parameter that was refused."""
    return PARAMETERS[refused.facts["parameter"]](refused)


def _account(refused: RejectedRequest) -> Explanation:
    account, _ = _parts(refused.request)
    key = caller(refused)
    rule, fix = "malformed account id", "Send accountId as GET /v2/accounts lists it."
    for name, meant in ACCOUNTS:
        for label, id in key.accounts.items():
            if meant(account, label, id):
                rule, fix = name, f"Send {id}."
    if re.fullmatch(r"\{.*\}|:\w+|\$.*|undefined|null|None|nan", account, re.DOTALL):
        rule, fix = "account id not filled in", "Put the account's id into the path."
    if account == key.owner:
        rule = "owner for the account id"
    expected = f"{PREFIX} and 36 of 0-9, a-f and -; {_accounts(key)}"
    return Explanation(rule, expected, _told(refused, account), fix)


ACCOUNTS: tuple[tuple[str, Callable[[str, str, str], bool]], ...] = (
    ("label for the account id", lambda page_parameter, label, own: page_parameter == label),
    ("account id in upper case", lambda page_parameter, label, own: page_parameter.lower() == own),
    (f"{PREFIX} missing", lambda page_parameter, label, own: PREFIX + page_parameter == own),
    (
        "whitespace or quotes around the account id",
        lambda page_parameter, label, own: page_parameter.strip(" \t\r\n\"'") == own,
    ),
)


def _size(refused: RejectedRequest) -> Explanation:
    size = page_parameter(refused.request.query)["pageSize"]
    rule, fix = "pageSize is no number", "Write pageSize in digits alone."
    digits = size.isascii() and size.isdigit()
    if digits and size.strip("0"):
        rule, fix = f"pageSize above {SIZE_MAX}", f"Ask for {SIZE_MAX} at most, and page."
    elif digits:
        rule, fix = "pageSize is 0", "Ask for one item or more, or leave pageSize out."
    elif not size:
        rule, fix = "pageSize is empty", "Leave pageSize out, or give it a number."
    elif re.fullmatch(r"-[0-9]+", size):
        rule, fix = "pageSize is negative", "Ask for one item or more."
    elif ";" in size:
        rule, fix = "semicolon between parameters", "Put & between parameters."
    return Explanation(rule, f"a whole number from 1 to {SIZE_MAX}", _told(refused, size), fix)


def _type(refused: RejectedRequest) -> Explanation:
    type = page_parameter(refused.request.query)["type"]
    near = nearest(type, ACCOUNT_TYPES)
    fix = f"Did you mean {near}?" if near else "Leave type out for all accounts."
    expected = f"one of {', '.join(ACCOUNT_TYPES)}"
    return Explanation("unknown account type", expected, _told(refused, type), fix)


def _asset(refused: RejectedRequest) -> Explanation:
    _, asset = _parts(refused.request)
    fix = "Send a symbol as the list of balances has it."
    told = f"{len(asset)} characters"
    return Explanation("malformed asset", f"a symbol of 1 to {SYMBOL_MAX} characters", told, fix)


PARAMETERS: Mapping[str, Callable[[RejectedRequest], Explanation]] = {
    "accountId": _account,
    "pageSize": _size,
    "type": _type,
    "asset": _asset,
}


# What is not there, or not for this key


def absent(refused: RejectedRequest) -> Explanation:
    """Explains an account or an asset that the key does not see."""
    account, asset = _parts(refused.request)
    key = caller(refused)
    label = next((label for label, id in key.accounts.items() if id == account), None)
    if label is not None:
        return _no_asset(refused, label, asset)
    fix = "Use one of those, or a key of the account's owner."
    owners = [k.label for k in refused.keys if account in k.accounts.values()]
    if not owners:
        return Explanation("unknown account", _accounts(key), printable(account.encode()), fix)
    told = f"{account}, which the key {owners[0]} sees"
    return Explanation("account of another owner", _accounts(key), told, fix)


def _no_asset(refused: RejectedRequest, label: str, asset: str) -> Explanation:
    expected = f"an asset that the account {label} holds"
    told = _told(refused, asset)
    if asset != asset.lower():
        fix = "Write symbols in lower case."
        return Explanation("asset in upper case", expected, told, fix)
    fix = "Ask for one that the list of balances has."
    return Explanation("asset not held", expected, told, fix)


# Page tokens


def page_token(refused: RejectedRequest) -> Explanation:
    """Explains a page token, as far as it can be read."""
    parameters = page_parameter(refused.request.query)
    token = parameters["pageToken"]
    expected = f"the nextPageToken of the page before, of {_wanted(refused)}"
    for rule, told, fix, wrong in TOKENS:
        if wrong(token):
            return Explanation(rule, expected, told, fix)
    place = _place(token)
    if place is None:
        told = "a text in which there is none of this server's"
        return Explanation("page token unreadable", expected, told, RETURNED)
    return _placed(refused, place, expected)


def _wanted(refused: RejectedRequest) -> str:
    """Returns the list that is asked for, as page tokens name it."""
    account, _ = _parts(refused.request)
    if account:
        return f"balances of {account}"
    parameters = page_parameter(refused.request.query)
    type, owner = parameters.get("type"), parameters.get("owner")
    return f"accounts of {caller(refused).owner}, {type}, {owner}"


def _place(token: str) -> PagePosition | None:
    """Reads what a token says, whoever wrote it."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        return msgspec.json.decode(raw[:-SEAL_SIZE], type=PagePosition)
    except (binascii.Error, ValueError):
        return None


def _placed(refused: RejectedRequest, place: PagePosition, expected: str) -> Explanation:
    if place.of != _wanted(refused) and _is_list(refused, place.of):
        fix = "Begin a list with no token, and send a token to the list that returned it."
        return Explanation("page token of another list", expected, f"one of {place.of}", fix)
    if refused.facts.get("late"):
        return _expired(refused, place, expected)
    if "late" in refused.facts:  # a genuine token of this list, in time
        size = _page_size(refused)
        fix = f"Keep pageSize for a whole walk: {place.size} here."
        told = f"one for pageSize {place.size}, with pageSize {size}"
        return Explanation("page token of another size", expected, told, fix)
    return Explanation(
        "page token changed, or of another sandbox",
        f"{expected}, of this sandbox and seed, as it was returned",
        "one that this sandbox did not write like this",
        f"Start the walk again without a token. {RETURNED}",
    )


def _expired(refused: RejectedRequest, place: PagePosition, expected: str) -> Explanation:
    ttl = duration.duration_text(refused.quirks["page_token_ttl"])
    at = moment.instant_text(place.timestamp // SECOND * SECOND)
    return Explanation(
        "page token expired",
        f"{expected}, at most {ttl} old",
        f"one of {at}, expired since {-(-refused.facts['late'] // SECOND)} s on the sandbox clock",
        "Start the walk again without a token.",
    )


def _is_list(refused: RejectedRequest, of: str) -> bool:
    """Tells whether a list is one that some key sees: a change would hardly hit on that."""
    owners = {key.owner for key in refused.keys}
    accounts = {id for key in refused.keys for id in key.accounts.values()}
    kind, _, rest = of.partition(" of ")
    return rest in accounts if kind == "balances" else rest.partition(",")[0] in owners


def _page_size(refused: RejectedRequest) -> int:
    return min(int(page_parameter(refused.request.query).get("pageSize", SIZE)), SIZE_MAX)


TOKENS: tuple[tuple[str, str, str, Callable[[str], Any]], ...] = (
    (
        "page token too long",
        f"more than {TOKEN_MAX} characters",
        RETURNED,
        lambda t: len(t) > TOKEN_MAX,
    ),
    (
        "page token escaped twice",
        "a token in which %3D is left",
        "Escape the token once: the library does it, or you do.",
        lambda t: "%" in t and _place(unquote(t)) is not None,
    ),
    (
        "whitespace or quotes around the page token",
        "whitespace or quotes",
        RETURNED,
        lambda t: t != t.strip(" \t\r\n\"'") and _place(t.strip(" \t\r\n\"'")) is not None,
    ),
    (
        "padding of the page token lost",
        "a token without its =",
        "Send the token with its padding, escaped as %3D.",
        lambda t: not t.endswith("=") and any(_place(t + "=" * n) is not None for n in (1, 2)),
    ),
)
