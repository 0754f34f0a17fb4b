"""``GET /v2/accounts`` and ``GET /v2/accounts/{accountId}``."""

import re
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

# fact: cdp-accounts-owner
OWNER = re.compile(r"(entity|customer)(_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?")


class AccountQuery(Struct, frozen=True):
    """The filters and the page of a list of accounts; a filter of None matches every account.

    ``owner`` is a list, separated by commas, of owners and kinds of owner.
    """

    page: Page
    type: str | None
    owner: str | None


def parse_list(request: Request, path: Mapping[str, str]) -> AccountQuery:
    """Reads the filters and the page; raises Reject."""
    parameters = query_parameters(request.query)
    type = parameters.get("type")
    if type is not None and type not in ACCOUNT_TYPES:
        raise Reject("bad_request", parameter="type")  # fact: cdp-accounts-filter-wrong
    owner = parameters.get("owner")
    if owner is not None and not all(map(OWNER.fullmatch, owner.split(","))):
        raise Reject("bad_request", parameter="owner")  # fact: cdp-accounts-owner-wrong
    return AccountQuery(parse_page(parameters), type, owner)


def list_accounts(view: View, query: AccountQuery) -> Answer:
    """Lists the caller's accounts, the newest first; raises Reject for a bad page token."""
    owner, type = view.credential.owner, query.type  # fact: cdp-key-owner, cdp-accounts-filter
    start = start_page(view, query.page, f"accounts of {owner}, {type}, {query.owner}")
    accounts = view.accounts.derive(_sorted_ids).get((owner, type), NO_ACCOUNTS)
    if query.owner is not None:
        accounts = _of_owners(view, accounts, {*query.owner.split(",")})
    ids, token = cut_page(view, start, accounts)
    bodies = [_account_body(id, view.accounts[id].account) for id in ids]
    return Answer({"accounts": bodies, **token})  # fact: cdp-accounts-paging


def _of_owners(view: View, accounts: SortedList, owners: set[str]) -> SortedList:
    """Returns the accounts of these owners, or of these kinds of owner."""
    matching = [
        (rank, id)
        for rank, id in zip(*accounts, strict=True)
        # fact: cdp-accounts-filter-owner
        if not owners.isdisjoint((owner := view.accounts[id].account.owner, owner.split("_")[0]))
    ]
    return SortedList([rank for rank, _ in matching], [id for _, id in matching])


def _sorted_ids(accounts: Mapping[str, AccountRows]) -> dict[tuple[str, str | None], SortedList]:
    """Returns sorted account ids by who sees them and type; type None holds those of all types."""
    ranked: dict[tuple[str, str | None], list[tuple[Rank, str]]] = {}
    for id, rows in accounts.items():
        account = rows.account
        # fact: cdp-accounts-order, cdp-accounts-order-rest
        entry = rank(Decimal(account.age), id), id
        for owner in account.seen_by:
            ranked.setdefault((owner, None), []).append(entry)
            ranked.setdefault((owner, account.type), []).append(entry)
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
    """Returns an account that the caller sees; raises Reject for any other id."""
    rows = view.accounts.get(id)
    # fact: cdp-not-found-foreign
    if rows is None or view.credential.owner not in rows.account.seen_by:
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
