"""Pages: nothing lost, nothing twice, and a walk that ends."""

from mockserver.certify.checks.common import WALK, issue, rule
from mockserver.certify.judges import (
    at_most,
    error,
    exact,
    exact_or_error,
    never,
    reached_last_page,
)
from mockserver.certify.model import CDP, MUST, SHOULD, Check, Rules, Scene

PAGES = (CDP,)
WALK_MAX = 60  # requests: three pages of 100 rows, 25 of ten
CURSOR = issue("ccxt/ccxt#22780")
DOCUMENTED = "https://docs.cdp.coinbase.com, pagination"
RESTART = "Read again from the first page, or fail; never show the pages so far as the account."


def _walk(rules: Rules = (), quirk: str = "") -> Scene:
    """Returns a scene with the account of many pages; quirk is as cdp.name=value."""
    name, _, value = quirk.partition("=")
    return Scene(account=WALK, rules=rules, quirks={name: value} if quirk else {})


CHECKS = (
    Check(
        id="all-pages",
        about="An account of 250 assets is shown as a whole, each asset once.",
        level=MUST,
        providers=PAGES,
        why="A client that reads the first page alone shows a fifth of the money.",
        fix="Follow nextPageToken until a page has none.",
        source="https://github.com/knowm/XChange/pull/4274",
        scene=_walk(),
        judges=(exact,),
    ),
    Check(
        id="page-token-unchanged",
        about="The page token comes back unchanged, escaped once.",
        level=MUST,
        providers=PAGES,
        why="A token with + / = that is escaped twice, or not at all, is another token.",
        fix="Pass the token to your HTTP library as a parameter; let it escape the text once.",
        source=CURSOR,
        scene=_walk(),
        judges=(never("bad_page_token", "the token was changed on the way"), exact),
    ),
    Check(
        id="empty-last-token",
        about="An empty nextPageToken ends the walk.",
        level=MUST,
        providers=PAGES,
        why="The documents allow it; a client that tests for the member alone starts again.",
        fix="End when the token is absent or empty.",
        source=DOCUMENTED,
        scene=_walk(quirk="cdp.last_page_token=empty"),
        judges=(at_most(WALK_MAX), exact),
    ),
    Check(
        id="repeated-token",
        about="A token that repeats does not make a client walk for ever.",
        level=MUST,
        providers=PAGES,
        why="One bad cursor on the server is an endless loop, and a ban.",
        fix="Remember the tokens of a walk, and fail when one comes again.",
        source=issue("rotki/rotki#962"),
        scene=_walk(rule(requests="2-", mutate={"repeat_token": True})),
        judges=(at_most(WALK_MAX), error),
    ),
    Check(
        id="empty-page-in-the-middle",
        about="A page without rows, but with a token, is not the end.",
        level=SHOULD,
        providers=PAGES,
        why="Filters on the server leave pages empty; the rest of the money follows.",
        fix="Let the token alone decide whether the walk goes on.",
        source=DOCUMENTED,
        scene=_walk(rule(requests="2", mutate={"empty_page": True})),
        judges=(reached_last_page,),
    ),
    Check(
        id="row-repeated-on-next-page",
        about="A row that moves to the next page during a walk is not counted twice.",
        level=SHOULD,
        providers=PAGES,
        why="The list is sorted by value, and values change while it is read.",
        fix="Join rows by asset, or fail and read again.",
        source=CURSOR,
        scene=_walk(rule(requests="2-", mutate={"repeat_row": True})),
        judges=(exact_or_error,),
    ),
    Check(
        id="expired-page-token",
        about="A page token that expires fails the read; the pages so far are no account.",
        level=MUST,
        providers=PAGES,
        why="A partial list is an account with less money.",
        fix=RESTART,
        source=DOCUMENTED,
        scene=_walk(rule(requests="1-", mutate={"expire_token": True})),
        judges=(error, at_most(WALK_MAX)),
    ),
    Check(
        id="error-in-the-middle-of-a-walk",
        about="A server error on the second page gives the whole account or an error.",
        level=MUST,
        providers=PAGES,
        why="Pages that were read before an error are not the account.",
        fix=RESTART,
        source=issue("vultisig/vultisig-android#5288"),
        scene=_walk(rule(requests="2", reject="internal_error")),
        judges=(exact_or_error,),
    ),
    Check(
        id="revoked-in-the-middle-of-a-walk",
        about="A key that is revoked during a walk gives an error, no partial account.",
        level=MUST,
        providers=PAGES,
        why="What was read so far looks like an account with less money.",
        fix="Let an authentication error end the whole read.",
        source=issue("vultisig/vultisig-android#5288"),
        scene=_walk(rule(requests="2-", reject="revoked_credential")),
        judges=(error, at_most(WALK_MAX)),
    ),
    Check(
        id="cut-in-the-middle-of-a-walk",
        about="A second page that is cut short gives the whole account or an error.",
        level=MUST,
        providers=PAGES,
        why="A broken page must not end the list early.",
        fix=RESTART,
        source=issue("psf/requests#4956"),
        scene=_walk(rule(requests="2", deliver={"cut": 0.5})),
        judges=(exact_or_error,),
    ),
    Check(
        id="same-page-size-in-a-walk",
        about="A walk keeps its page size.",
        level=SHOULD,
        providers=PAGES,
        why="Nothing says that a token of one size is good for another.",
        fix="Send the same pageSize with every token.",
        source="assumption of the mock: cdp.page_token_binds_size",
        scene=_walk(quirk="cdp.page_token_binds_size=true"),
        judges=(exact,),
    ),
    Check(
        id="page-size-within-the-maximum",
        about="No page of more than 100 rows is requested.",
        level=SHOULD,
        providers=PAGES,
        why="Most endpoints stop at 100; what a larger number does is not documented.",
        fix="Send a pageSize of at most 100.",
        source="assumption of the mock: cdp.page_size_over_max",
        scene=_walk(quirk="cdp.page_size_over_max=reject"),
        judges=(exact,),
    ),
)
