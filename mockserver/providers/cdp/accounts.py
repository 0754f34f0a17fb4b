"""``GET /v2/accounts`` and ``GET /v2/accounts/{accountId}``."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from mockserver.model.http import Request
from mockserver.model.provider import Answer
from mockserver.model.reject import Reject
from mockserver.model.rows import AccountRows
from mockserver.model.world import View
from mockserver.providers.cdp.pages import (
    Page,
    Rank,
    SortedList,
    cut_page,
    parse_page,
    query_parameters,
    rank,
    sort_by_rank,
    start_page,
)
from mockserver.providers.cdp.world import ACCOUNT_TYPES, Portfolio, is_account_id

NO_ACCOUNTS = SortedList([], [])


class AccountQuery(Struct, frozen=True):
    """The filters and the page of a list of accounts; a filter of None matches every account."""

    page: Page
    type: str | None
    owner: str | None


def parse_list(request: Request, path: Mapping[str, str]) -> AccountQuery:
    """Reads the filters and the page; raises Reject."""
    parameters = query_parameters(request.query)
    type = parameters.get("type")
    if type is not None and type not in ACCOUNT_TYPES:
        raise Reject("bad_request", parameter="type")  # fact: cdp-accounts-filter-wrong
    return AccountQuery(parse_page(parameters), type, parameters.get("owner"))


def list_accounts(view: View, query: AccountQuery) -> Answer:
    """Lists the caller's accounts, the newest first; raises Reject for a bad page token."""
    owner, type = view.credential.owner, query.type  # fact: cdp-key-owner, cdp-accounts-filter
    start = start_page(view, query.page, f"accounts of {owner}, {type}, {query.owner}")
    accounts = NO_ACCOUNTS
    if query.owner in (None, owner):  # fact: cdp-accounts-filter-owner
        accounts = view.accounts.derive(_sorted_ids).get((owner, type), NO_ACCOUNTS)
    ids, token = cut_page(view, start, accounts)
    bodies = [_account_body(id, view.accounts[id].account) for id in ids]
    return Answer({"accounts": bodies, **token})  # fact: cdp-accounts-paging


def _sorted_ids(accounts: Mapping[str, AccountRows]) -> dict[tuple[str, str | None], SortedList]:
    """Returns sorted account ids by owner and type; type None holds all of an owner's accounts."""
    ranked: dict[tuple[str, str | None], list[tuple[Rank, str]]] = {}
    for id, rows in accounts.items():
        account = rows.account
        # fact: cdp-accounts-order, cdp-accounts-order-rest
        entry = rank(Decimal(account.age), id), id
        ranked.setdefault((account.owner, None), []).append(entry)
        ranked.setdefault((account.owner, account.type), []).append(entry)
    return {key: sort_by_rank(entries) for key, entries in ranked.items()}


def parse_id(request: Request, path: Mapping[str, str]) -> str:
    """Returns the account id of the path; raises Reject for a malformed one."""
    if not is_account_id(path["accountId"]):
        raise Reject("bad_request", parameter="accountId")
    return path["accountId"]


def get_account(view: View, id: str) -> Answer:
    """Returns one of the caller's accounts; raises Reject."""
    return Answer(_account_body(id, owned_account(view, id).account))


def owned_account(view: View, id: str, message: str = "Account not found.") -> AccountRows:
    """Returns an account of the caller's owner; raises Reject for any other id."""
    rows = view.accounts.get(id)
    # fact: cdp-not-found-foreign
    if rows is None or rows.account.owner != view.credential.owner:
        raise Reject("not_found", message=message)
    return rows


# fact: cdp-account-members
def _account_body(id: str, account: Portfolio) -> dict[str, Any]:
    # fact: cdp-owner-form
    body = {"accountId": id, "type": account.type, "owner": account.owner}
    if account.name:
        body["name"] = account.name
    # fact: cdp-account-updated
    return body | {"createdAt": account.created, "updatedAt": account.updated}
