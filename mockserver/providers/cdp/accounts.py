"""``GET /v2/accounts`` and ``GET /v2/accounts/{accountId}``."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from mockserver.model.account_rows import AccountRows
from mockserver.model.http import Request
from mockserver.model.provider import Answer
from mockserver.model.reject import Reject
from mockserver.model.world import View
from mockserver.providers.cdp.pages import (
    Listing,
    Page,
    Rank,
    begin,
    cut,
    listing,
    page_parameter,
    parse_page,
    rank,
)
from mockserver.providers.cdp.world import ACCOUNT_TYPES, Portfolio, is_account_id

NONE = Listing([], [])


class AccountQuery(Struct, frozen=True):
    """Which accounts are asked for; None is all."""

    page: Page
    type: str | None
    owner: str | None


def parse_list(request: Request, path: Mapping[str, str]) -> AccountQuery:
    """Reads the filters and the page; raises Reject."""
    parameters = page_parameter(request.query)
    type = parameters.get("type")
    if type is not None and type not in ACCOUNT_TYPES:
        raise Reject("bad_request", parameter="type")
    return AccountQuery(parse_page(parameters), type, parameters.get("owner"))


def list_accounts(view: View, wanted: AccountQuery) -> Answer:
    """Lists the caller's accounts, the newest first."""
    owner, type = view.credential.owner, wanted.type
    start = begin(view, wanted.page, f"accounts of {owner}, {type}, {wanted.owner}")
    found = NONE
    if wanted.owner in (None, owner):
        found = view.accounts.derive(_listings).get((owner, type), NONE)
    ids, token = cut(view, start, found)
    return Answer({"accounts": [_shown(id, view.accounts[id].account) for id in ids], **token})


def _listings(accounts: Mapping[str, AccountRows]) -> dict[tuple[str, str | None], Listing]:
    """Returns the ids of each owner's accounts in order: of every type, and of each one."""
    found: dict[tuple[str, str | None], list[tuple[Rank, str]]] = {}
    for id, held in accounts.items():
        account = held.account
        ranked = rank(Decimal(account.age), id), id
        found.setdefault((account.owner, None), []).append(ranked)
        found.setdefault((account.owner, account.type), []).append(ranked)
    return {key: listing(ranked) for key, ranked in found.items()}


def parse_id(request: Request, path: Mapping[str, str]) -> str:
    """Reads the account id; raises Reject when it has not the form of one."""
    if not is_account_id(path["accountId"]):
        raise Reject("bad_request", parameter="accountId")
    return path["accountId"]


def get_account(view: View, id: str) -> Answer:
    """Shows one of the caller's accounts."""
    return Answer(_shown(id, owned(view, id).account))


def owned(view: View, id: str, message: str = "Account not found.") -> AccountRows:
    """Returns an account of the caller's owner; raises Reject, as for one that is not there."""
    held = view.accounts.get(id)
    if held is None or held.account.owner != view.credential.owner:
        raise Reject("not_found", message=message)
    return held


def _shown(id: str, account: Portfolio) -> dict[str, Any]:
    told = {"accountId": id, "type": account.type, "owner": account.owner}
    if account.name:
        told["name"] = account.name
    return told | {"createdAt": account.created, "updatedAt": account.updated}
