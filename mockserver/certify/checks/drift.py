"""Drift: what APIs add, leave out and change without notice."""

from mockserver.certify.checks.common import ROWS, TOTALS, issue, mutate_each, rule
from mockserver.certify.judges import error, exact, exact_or_error, nothing_invented
from mockserver.certify.model import (
    CDP,
    COINAPI,
    COINSTATS,
    COINW,
    CPG,
    MUST,
    SHOULD,
    Check,
    Scene,
)

TOLERANT = "Ignore what you do not know; read what you need by name."
STRICT = "Require amount and symbol of each row, and their types; raise where they are absent."
AMOUNT = "Require the amount of each row: where it is absent, raise, or leave that row out."
QUICKSTART = "CoinAPI's quickstart, whose sample rows differ from the page"

CHECKS = (
    Check(
        id="unknown-members",
        about="Members that no document lists change nothing.",
        level=MUST,
        why="APIs add members without a new version.",
        fix=TOLERANT,
        source="https://github.com/TrueLayer/truelayer-java/pull/98",
        scene=Scene(
            rules=rule(mutate={"extra": True}),
            rules_for={COINW: rule(mutate={"retype": "$.success"})},  # data has no other members
        ),
        judges=(exact,),
    ),
    Check(
        id="unknown-enum-value",
        about="A word that no document lists (asset type, source, status) changes no balance.",
        level=MUST,
        providers=(CDP, COINAPI),
        why="Lists of words grow; a strict enum loses the whole account for one of them.",
        fix="Keep unknown words as text.",
        source=issue("okta/okta-sdk-java#184"),
        scene=Scene(
            rules_for=mutate_each(
                "enum",
                {CDP: "$.balances[*].asset.type", COINAPI: "$[*].data[*].last_updated_by"},
            )
        ),
        judges=(exact,),
    ),
    Check(
        id="optional-members-absent",
        about="Absent members that are not needed for the balance change nothing.",
        level=MUST,
        providers=(CDP, COINAPI, COINW),
        why="Optional members are absent in some answers, and older documents lack them.",
        fix=TOLERANT,
        source="the providers' documents of several years",
        scene=Scene(
            rules_for=mutate_each(
                "drop",
                {
                    CDP: "$.balances[0].amount.usd",
                    COINAPI: "$[*].data[*].rate_usd",
                    COINW: "$.success",
                },
            )
        ),
        judges=(exact,),
    ),
    Check(
        id="null-rate",
        about="A rate_usd of null is tolerated.",
        level=MUST,
        providers=(COINAPI,),
        why="The official quickstart shows one; the generated Python client fails on it.",
        fix="Read the rate as optional.",
        source=QUICKSTART,
        scene=Scene(rules=rule(mutate={"null": "$[*].data[*].rate_usd"})),
        judges=(exact,),
    ),
    Check(
        id="media-type-with-charset",
        about="A media type with a charset is the same media type.",
        level=MUST,
        why="A comparison with application/json alone refuses every balance.",
        fix="Compare the media type without its parameters, or not at all.",
        source="CoinAPI's generated Python client",
        scene=Scene(rules=rule(mutate={"media_type": "application/json; charset=utf-8"})),
        judges=(exact,),
    ),
    Check(
        id="amount-absent",
        about="A row without its amount is an error or left out, never an amount of zero.",
        level=MUST,
        why="Absent is not zero.",
        fix=AMOUNT,
        source=issue("dymensionxyz/roller#209"),
        scene=Scene(
            rules_for=mutate_each("drop", TOTALS)
            | {COINW: rule(mutate={"null": TOTALS[COINW]})}  # there, the member is the row
        ),
        judges=(nothing_invented,),
    ),
    Check(
        id="amount-null",
        about="A row with a null amount is an error or left out, never an amount of zero.",
        level=MUST,
        providers=(CDP, COINAPI, COINSTATS, CPG),
        why="amount or 0 turns what is unknown into nothing.",
        fix=AMOUNT,
        source=issue("dymensionxyz/roller#209"),
        scene=Scene(rules_for=mutate_each("null", TOTALS)),
        judges=(nothing_invented,),
    ),
    Check(
        id="rows-of-another-type",
        about="Rows that come as another type raise.",
        level=MUST,
        why="Iterating over an object yields names, not rows.",
        fix=STRICT,
        source=issue("vultisig/vultisig-android#5288"),
        scene=Scene(rules_for=mutate_each("retype", ROWS)),
        judges=(error,),
    ),
    Check(
        id="rows-null",
        about="Rows that are null raise.",
        level=MUST,
        providers=(CDP, COINAPI, COINSTATS, CPG),
        why="Null is no empty list: these documents promise a list.",
        fix=STRICT,
        source="https://github.com/crypkit/blockapi/pull/144",
        scene=Scene(rules_for=mutate_each("null", ROWS)),
        judges=(error,),
    ),
    Check(
        id="amounts-of-the-other-type",
        about="A number where the document has a text, and back, gives an error or every digit.",
        level=SHOULD,
        providers=(CDP, COINAPI, COINSTATS, CPG),
        why="A float read from a number has other digits than the text.",
        fix="Have the JSON parser read numbers as decimals, or raise.",
        source=issue("ccxt/ccxt#7528"),
        scene=Scene(rules_for=mutate_each("retype", TOTALS)),
        judges=(exact_or_error,),
    ),
    Check(
        id="quickstart-rows",
        about="Rows as in the official quickstart, with type, id and tagged exchanges, are read.",
        level=SHOULD,
        providers=(COINAPI,),
        why="The quickstart and the page disagree.",
        fix=TOLERANT,
        source=QUICKSTART,
        scene=Scene(quirks={"coinapi.row_extras": "quickstart"}),
        judges=(nothing_invented,),
    ),
    Check(
        id="unfiltered-read-refused",
        about="A read of all exchanges that fails for one of them is an error or the others.",
        level=SHOULD,
        providers=(COINAPI,),
        why="What happens when one of several exchanges is unreachable is not documented.",
        fix="Read each exchange by itself, or raise.",
        source="assumption of the mock: coinapi.unfiltered_unreachable",
        scene=Scene(quirks={"coinapi.unfiltered_unreachable": "reject"}),
        judges=(exact_or_error,),
    ),
    Check(
        id="narrow-timestamp-window",
        about="Timestamps are good to half a minute.",
        level=SHOULD,
        providers=(CPG,),
        why="The window of 300 seconds may shrink; a client should not need it.",
        fix="Sign with the current time, not with one that runs ahead.",
        source="assumption of the mock: cpg.timestamp_window",
        scene=Scene(quirks={"cpg.timestamp_window": "30s"}),
        judges=(exact,),
    ),
)
