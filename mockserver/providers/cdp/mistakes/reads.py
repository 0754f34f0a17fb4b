"""Explains bad parameters and page tokens, and accounts or assets that the key does not see."""

import base64
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import msgspec

from mockserver.explain import Explanation, RejectedRequest, first_explanation
from mockserver.model.paging import SEAL_SIZE, TOKEN_MAX
from mockserver.model.rule_table import Rule
from mockserver.model.suggestions import nearest
from mockserver.model.times import SECOND, duration_text, instant_text
from mockserver.providers.cdp.accounts import OWNER
from mockserver.providers.cdp.mistakes import lookup
from mockserver.providers.cdp.pages import (
    PAGE_SIZE,
    PAGE_SIZE_MAX,
    PagePosition,
    query_parameters,
)
from mockserver.providers.cdp.world import ACCOUNT_TYPES, PREFIX, SYMBOL_MAX, is_account_id


def read_position(token: str) -> PagePosition | None:
    """Returns the content of a page token without checking its seal, or None."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        return msgspec.json.decode(raw[:-SEAL_SIZE], type=PagePosition)
    except ValueError:
        return None


# The right form of each parameter, in words and as a test.
FORMS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "accountId": (f"{PREFIX} and 36 of 0-9, a-f and -; {{visible}}", is_account_id),
    "pageSize": (
        f"a whole number from 1 to {PAGE_SIZE_MAX}",
        re.compile("[1-9][0-9]?|100").fullmatch,
    ),
    "pageToken": ("the nextPageToken of the page before, of {list}", read_position),
    "type": (f"one of {', '.join(ACCOUNT_TYPES)}", ACCOUNT_TYPES.__contains__),
    "owner": ("entity, customer, entity_<uuid> or customer_<uuid>, by commas", OWNER.fullmatch),
    "asset": (f"1 to {SYMBOL_MAX} characters", lambda text: 0 < len(text) <= SYMBOL_MAX),
}
NOT_FILLED_IN = re.compile(r"\{.*\}|:[a-z]\w*|\$\{?[a-z].*|undefined|null|none|nan", re.IGNORECASE)

# Mistakes of any parameter: ``is_right`` tests the text without the mistake.
ANY = (
    Rule("{name} is empty", lambda v: not v.text, "Omit {name}, or send a value."),
    Rule("{name} not filled in", lambda v: NOT_FILLED_IN.fullmatch(v.text), "Put its value there."),
    Rule("{name} too long", lambda v: len(v.text) > TOKEN_MAX),
    Rule("whitespace or quotes around {name}", lambda v: v.is_right(v.text.strip(" \t\r\n\"'"))),
    Rule("{name} in another case", lambda v: v.is_right(v.text.lower())),
    Rule("{name} without account_", lambda v: v.is_right(f"account_{v.text}")),
    Rule("{name} without entity_ or customer_", lambda v: v.is_right(f"entity_{v.text}")),
    Rule("{name} escaped twice", lambda v: v.is_right(unquote(v.text))),
    Rule(
        "{name} without its padding",
        lambda v: v.is_right(v.text + "=") or v.is_right(v.text + "=="),
    ),
)
OWN = {
    "accountId": (
        Rule("owner in place of {name}", lambda v: v.text == v.key.owner),
        Rule("label in place of {name}", lambda v: v.key.accounts.get(v.text), "Send {match}."),
    ),
    "pageSize": (
        Rule("pageSize is 0", lambda v: not v.text.strip("0")),
        Rule(f"pageSize above {PAGE_SIZE_MAX}", lambda v: re.fullmatch("[0-9]+", v.text)),
        Rule("pageSize is negative", lambda v: re.fullmatch("-[0-9]+", v.text)),
        Rule("semicolon between parameters", lambda v: ";" in v.text, "Separate parameters by &."),
        Rule("pageSize is not a number", lambda v: True),
    ),
    "pageToken": (
        Rule(
            "page token of another list",
            lambda v: v.is_genuine and v.position.list_name != v.list_name,
            "Send a token only to the list that returned it.",
            "one of {position.list_name}",
        ),
        Rule(
            "page token expired",
            lambda v: v.late,
            "Start again without a token.",
            "one issued at {issued}, expired {late} s ago on the sandbox clock",
            "{form}, at most {ttl} old",
        ),
        Rule(
            "page token of another size",
            lambda v: v.is_genuine,
            "Keep the same pageSize for all pages: {position.size} here.",
            "one for pageSize {position.size}, with pageSize {size}",
        ),
        Rule(
            "page token changed, or of another sandbox",
            lambda v: v.position,
            "Send it unchanged, to the sandbox that issued it; else start again without a token.",
        ),
    ),
    "type": (Rule("unknown {name}", lambda v: v.nearest, "Did you mean {match}?"),),
}
MALFORMED = Rule(
    "malformed {name}",
    lambda v: True,
    "Send {name} in the form that is expected, unchanged and escaped once.",
    "{shown}",
    "{form}",
)


def explain_parameter(rejected: RejectedRequest) -> Explanation | None:
    """Explains the bad parameter, named by the fact ``parameter``, or the page token."""
    name, key = rejected.facts.get("parameter", "pageToken"), lookup.key_of_token(rejected)
    account, asset = _path_parameters(rejected)
    parameters = {"pageToken": "", **query_parameters(rejected.request.query)}
    text = {**parameters, "accountId": account, "asset": asset}[name]
    if name == "owner":
        text = next(owner for owner in text.split(",") if not OWNER.fullmatch(owner))
    position, is_genuine = read_position(parameters["pageToken"]), "late" in rejected.facts
    issued = position.timestamp if position and is_genuine else 0
    type, owner = parameters.get("type"), parameters.get("owner")
    filtered = f"accounts of {key.owner}, {type}, {owner}"
    form, is_right = FORMS[name]
    words = {"visible": _visible(key), "list": f"balances of {account}" if account else filtered}
    return first_explanation(
        (*ANY, *OWN.get(name, ()), MALFORMED),
        name=name,
        text=text,
        shown=lookup.show_value(rejected, text),
        form=form.format(**words),
        is_right=lambda other: not is_right(text) and is_right(other),
        nearest=nearest(text, ACCOUNT_TYPES),
        key=key,
        position=position,
        list_name=words["list"],
        is_genuine=is_genuine,
        late=-(-rejected.facts.get("late", 0) // SECOND),
        size=parameters.get("pageSize", PAGE_SIZE),
        issued=instant_text(issued // SECOND * SECOND),
        ttl=duration_text(rejected.quirks["page_token_ttl"]),
    )


def _path_parameters(rejected: RejectedRequest) -> tuple[str, str]:
    """Returns account and asset of the path, each empty if the path has none."""
    parts = [unquote(part) for part in rejected.request.path.decode("latin-1").split("/")]
    parts += [""] * 3
    return parts[3], parts[5]


def _visible(key: Any) -> str:
    """Lists the accounts that a key sees."""
    accounts = lookup.listed(f"{label} {id}" for label, id in key.accounts.items())
    return f"the key {key.label} sees {accounts or 'no account'}"


# Accounts and assets that are not found

FIX_CASE = "Send symbols in lower case."
FIX_ASSET = "Request an asset from the list of balances."
FIX_VISIBLE = "Use one of those, or a key of the account's owner."

NOT_FOUND = (
    Rule("asset in upper case", lambda r: r.held and r.is_upper, FIX_CASE, "{asset}", "{held}"),
    Rule("asset not held", lambda r: r.held, FIX_ASSET, "{asset}", "{held}"),
    Rule(
        "account of another owner", lambda r: r.other, "", "{account}, which the key {other} sees"
    ),
    Rule("unknown account", lambda r: True, FIX_VISIBLE, "{account}", "{visible}"),
)


def explain_not_found(rejected: RejectedRequest) -> Explanation | None:
    """Explains an account or an asset that does not exist for the key."""
    account, asset = _path_parameters(rejected)
    key = lookup.key_of_token(rejected)
    held = (
        f"an asset that the account {label} holds"
        for label, id in key.accounts.items()
        if id == account
    )
    others = (other.label for other in rejected.keys if account in other.accounts.values())
    return first_explanation(
        NOT_FOUND,
        account=lookup.show_value(rejected, account),
        asset=lookup.show_value(rejected, asset),
        is_upper=asset != asset.lower(),
        held=next(held, ""),
        other=next(others, ""),
        visible=_visible(key),
    )
