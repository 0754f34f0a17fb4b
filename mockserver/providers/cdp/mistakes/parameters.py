"""Explains bad parameters, and accounts or assets that the key does not see."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from mockserver.explain import Explanation, RejectedRequest, nearest, printable
from mockserver.model.http import Request
from mockserver.model.rule_table import Rule, first_rule
from mockserver.providers.cdp.accounts import OWNER
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
    ids = [(account, label, id) for label, id in key.accounts.items()]
    matching = ((first_rule(ACCOUNT_ID_MISTAKES, *row), row) for row in ids)
    row, of = next((match for match in matching if match[0]), (None, ("", "", "")))
    rule = row.name if row else "malformed account id"
    fix = f"Send {of[2]}." if row else "Send accountId as GET /v2/accounts lists it."
    if PLACEHOLDER.fullmatch(account):
        rule, fix = "account id not filled in", "Put the account's id into the path."
    if account == key.owner:
        rule = "owner in place of the account id"
    expected = f"{PREFIX} and 36 of 0-9, a-f and -; {_visible_accounts(key)}"
    return Explanation(rule, expected, _printable_value(rejected, account), fix)


# Each with a test of the text that was sent, the label and the id of an account.
ACCOUNT_ID_MISTAKES = (
    Rule("label in place of the account id", lambda sent, label, own: sent == label),
    Rule("account id in upper case", lambda sent, label, own: sent.lower() == own),
    Rule(f"{PREFIX} missing", lambda sent, label, own: PREFIX + sent == own),
    Rule(
        "whitespace or quotes around the account id",
        lambda sent, label, own: sent.strip(" \t\r\n\"'") == own,
    ),
)

NUMBER = re.compile(r"[0-9]+")
PAGE_SIZES = (
    Rule("pageSize is empty", lambda size: not size, "Omit pageSize, or send a number."),
    Rule(
        "pageSize is 0", re.compile(r"0+").fullmatch, "Request one item or more, or omit pageSize."
    ),
    Rule(
        f"pageSize above {PAGE_SIZE_MAX}",
        NUMBER.fullmatch,
        f"Request {PAGE_SIZE_MAX} at most, in pages.",
    ),
    Rule("pageSize is negative", re.compile(r"-[0-9]+").fullmatch, "Request one item or more."),
    Rule("semicolon between parameters", lambda size: ";" in size, "Separate parameters by &."),
    Rule("pageSize is not a number", lambda size: True, "Send pageSize as digits only."),
)


def _explain_page_size(rejected: RejectedRequest) -> Explanation:
    size = query_parameters(rejected.request.query)["pageSize"]
    row = first_rule(PAGE_SIZES, size) or PAGE_SIZES[-1]
    expected = f"a whole number from 1 to {PAGE_SIZE_MAX}"
    return Explanation(row.name, expected, _printable_value(rejected, size), row.fix)


def _explain_account_type(rejected: RejectedRequest) -> Explanation:
    type = query_parameters(rejected.request.query)["type"]
    suggestion = nearest(type, ACCOUNT_TYPES)
    fix = f"Did you mean {suggestion}?" if suggestion else "Omit type to list all accounts."
    expected = f"one of {', '.join(ACCOUNT_TYPES)}"
    return Explanation("unknown account type", expected, _printable_value(rejected, type), fix)


def _explain_owner(rejected: RejectedRequest) -> Explanation:
    owners = query_parameters(rejected.request.query)["owner"].split(",")
    wrong = next(owner for owner in owners if not OWNER.fullmatch(owner))
    row = first_rule(OWNERS, wrong) or OWNERS[-1]
    expected = "entity, customer, entity_<uuid> or customer_<uuid>, separated by commas"
    return Explanation(row.name, expected, _printable_value(rejected, wrong), row.fix)


# Each with a test of the first owner that is none.
OWNERS = (
    Rule("owner is empty", lambda owner: not owner, "Omit owner to list the accounts of all."),
    Rule("whitespace in owner", lambda owner: OWNER.fullmatch(owner.strip()), "Omit whitespace."),
    Rule("owner in upper case", lambda owner: OWNER.fullmatch(owner.lower()), "Use lower case."),
    Rule(
        "entity_ or customer_ missing",
        lambda owner: OWNER.fullmatch(f"entity_{owner}"),
        "Put entity_ or customer_ before the UUID.",
    ),
    Rule("malformed owner", lambda owner: True, "Send owners as GET /v2/accounts lists them."),
)


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
    "owner": _explain_owner,
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
