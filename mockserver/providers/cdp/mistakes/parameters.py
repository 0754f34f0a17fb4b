"""Explains bad parameters, and accounts or assets that the key does not see."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from mockserver.explain import Explanation, RejectedRequest, nearest, printable
from mockserver.model.http import Request
from mockserver.providers.cdp.mistakes.lookup import (
    describe_value,
    key_of_token,
    key_with_secret,
)
from mockserver.providers.cdp.pages import PAGE_SIZE_MAX, query_parameters
from mockserver.providers.cdp.world import ACCOUNT_TYPES, PREFIX, SYMBOL_MAX

ACCOUNTS_MAX = 5  # accounts that are listed
PLACEHOLDER = re.compile(r"\{.*\}|:\w+|\$.*|undefined|null|None|nan", re.DOTALL)


def path_parameters(request: Request) -> tuple[str, str]:
    """Returns account and asset of the path, each empty if the path has none."""
    parts = [unquote(part) for part in request.path.decode("latin-1").split("/")]
    parts += [""] * 3
    return parts[3], parts[5]


def _printable_value(rejected: RejectedRequest, text: str) -> str:
    """Returns a text of the request in printable form; a secret is described instead."""
    if key_with_secret(rejected, text) is not None:
        return describe_value(rejected, text)
    return printable(text.encode("utf-8", "replace"))


def _visible_accounts(key: Any) -> str:
    """Lists the accounts that a key sees."""
    accounts = [f"{label} {id}" for label, id in key.accounts.items()]
    more = ", ..." if len(accounts) > ACCOUNTS_MAX else ""
    return f"the key {key.label} sees {', '.join(accounts[:ACCOUNTS_MAX]) or 'no account'}{more}"


# Parameters


def explain_parameter(rejected: RejectedRequest) -> Explanation:
    """Explains the bad parameter, named by the fact ``parameter``."""
    return PARAMETERS[rejected.facts["parameter"]](rejected)


def _explain_account_id(rejected: RejectedRequest) -> Explanation:
    account, _ = path_parameters(rejected.request)
    key = key_of_token(rejected)
    rule, fix = "malformed account id", "Send accountId as GET /v2/accounts lists it."
    for mistake, matches in ACCOUNT_ID_MISTAKES:
        for label, id in key.accounts.items():
            if matches(account, label, id):
                rule, fix = mistake, f"Send {id}."
    if PLACEHOLDER.fullmatch(account):
        rule, fix = "account id not filled in", "Put the account's id into the path."
    if account == key.owner:
        rule = "owner in place of the account id"
    expected = f"{PREFIX} and 36 of 0-9, a-f and -; {_visible_accounts(key)}"
    return Explanation(rule, expected, _printable_value(rejected, account), fix)


# Each with a test of the text that was sent, the label and the id of an account.
ACCOUNT_ID_MISTAKES: tuple[tuple[str, Callable[[str, str, str], bool]], ...] = (
    ("label in place of the account id", lambda sent, label, own_id: sent == label),
    ("account id in upper case", lambda sent, label, own_id: sent.lower() == own_id),
    (f"{PREFIX} missing", lambda sent, label, own_id: PREFIX + sent == own_id),
    (
        "whitespace or quotes around the account id",
        lambda sent, label, own_id: sent.strip(" \t\r\n\"'") == own_id,
    ),
)


def _explain_page_size(rejected: RejectedRequest) -> Explanation:
    size = query_parameters(rejected.request.query)["pageSize"]
    rule, fix = "pageSize is not a number", "Send pageSize as digits only."
    is_number = size.isascii() and size.isdigit()
    if is_number and size.strip("0"):
        rule, fix = f"pageSize above {PAGE_SIZE_MAX}", f"Request {PAGE_SIZE_MAX} at most, in pages."
    elif is_number:
        rule, fix = "pageSize is 0", "Request one item or more, or omit pageSize."
    elif not size:
        rule, fix = "pageSize is empty", "Omit pageSize, or send a number."
    elif re.fullmatch(r"-[0-9]+", size):
        rule, fix = "pageSize is negative", "Request one item or more."
    elif ";" in size:
        rule, fix = "semicolon between parameters", "Separate parameters by &."
    expected = f"a whole number from 1 to {PAGE_SIZE_MAX}"
    return Explanation(rule, expected, _printable_value(rejected, size), fix)


def _explain_account_type(rejected: RejectedRequest) -> Explanation:
    type = query_parameters(rejected.request.query)["type"]
    suggestion = nearest(type, ACCOUNT_TYPES)
    fix = f"Did you mean {suggestion}?" if suggestion else "Omit type to list all accounts."
    expected = f"one of {', '.join(ACCOUNT_TYPES)}"
    return Explanation("unknown account type", expected, _printable_value(rejected, type), fix)


def _explain_asset(rejected: RejectedRequest) -> Explanation:
    _, asset = path_parameters(rejected.request)
    return Explanation(
        "malformed asset",
        f"a symbol of 1 to {SYMBOL_MAX} characters",
        f"{len(asset)} characters",
        "Send a symbol from the list of balances.",
    )


PARAMETERS: Mapping[str, Callable[[RejectedRequest], Explanation]] = {
    "accountId": _explain_account_id,
    "pageSize": _explain_page_size,
    "type": _explain_account_type,
    "asset": _explain_asset,
}


# Accounts and assets that are not found


def explain_not_found(rejected: RejectedRequest) -> Explanation:
    """Explains an account or an asset that does not exist for the key."""
    account, asset = path_parameters(rejected.request)
    key = key_of_token(rejected)
    label = next((label for label, id in key.accounts.items() if id == account), None)
    if label is not None:
        return _explain_missing_asset(rejected, label, asset)
    fix = "Use one of those, or a key of the account's owner."
    expected = _visible_accounts(key)
    owners = [k.label for k in rejected.keys if account in k.accounts.values()]
    if not owners:
        return Explanation("unknown account", expected, printable(account.encode()), fix)
    received = f"{account}, which the key {owners[0]} sees"
    return Explanation("account of another owner", expected, received, fix)


def _explain_missing_asset(rejected: RejectedRequest, label: str, asset: str) -> Explanation:
    rule, fix = "asset not held", "Request an asset from the list of balances."
    if asset != asset.lower():
        rule, fix = "asset in upper case", "Send symbols in lower case."
    expected = f"an asset that the account {label} holds"
    return Explanation(rule, expected, _printable_value(rejected, asset), fix)
