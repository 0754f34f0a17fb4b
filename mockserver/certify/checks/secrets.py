"""Secrets: in the places of the API's document, and nowhere else."""

from mockserver.certify.checks.common import anywhere, issue, rule
from mockserver.certify.judges import error, no_secret_in_output, no_secret_in_url
from mockserver.certify.model import CDP, COINAPI, COINSTATS, COINW, CPG, MUST, SHOULD, Check, Scene

LEAK = issue("EnergieID/entsoe-py#541")
CAUSE = issue("MehdiZare/fmp-data#350")
OUTPUT = "Logs, tickets and chats are read by people who must not have the key."
ERRORS = "Put status and message into the error; not the request, its headers or its URL."

CHECKS = (
    Check(
        id="no-secret-in-output",
        about="No secret is written to stdout or stderr when all goes well.",
        level=MUST,
        why=OUTPUT,
        fix="Do not print settings, headers or requests.",
        source="https://github.com/knowm/XChange/pull/2409",
        judges=(no_secret_in_output,),
    ),
    Check(
        id="no-secret-in-a-refusal",
        about="No secret is in the error of a refused request.",
        level=MUST,
        why=OUTPUT,
        fix=ERRORS,
        source=LEAK,
        scene=Scene(rules=anywhere(reject="unknown_credential")),
        judges=(no_secret_in_output,),
    ),
    Check(
        id="no-secret-in-a-network-error",
        about="No secret is in the error of a lost connection.",
        level=MUST,
        why="The errors of HTTP libraries contain the URL, and some the request.",
        fix=ERRORS,
        source=CAUSE,
        scene=Scene(rules=rule(deliver={"close": True})),
        judges=(error, no_secret_in_output),
    ),
    Check(
        id="no-secret-in-a-parser-error",
        about="No secret is in the error of an answer that is no JSON.",
        level=MUST,
        why=OUTPUT,
        fix=ERRORS,
        source="https://github.com/TauricResearch/TradingAgents/pull/1322",
        scene=Scene(rules=anywhere(page="proxy-502")),
        judges=(error, no_secret_in_output),
    ),
    Check(
        id="no-secret-in-the-url",
        about="No secret is in the path or the query.",
        level=MUST,
        providers=(CDP, COINSTATS, COINW, CPG),
        why="URLs are kept in the logs of every proxy on the way.",
        fix="Send the key in its header, the exchange's secrets in the body.",
        source=LEAK,
        judges=(no_secret_in_url,),
    ),
    Check(
        id="key-in-the-header",
        about="The key is in X-CoinAPI-Key, not in the query.",
        level=SHOULD,
        providers=(COINAPI,),
        why="Both are documented; URLs are kept in the logs of every proxy on the way.",
        fix="Send X-CoinAPI-Key.",
        source="CoinAPI's page of authentication",
        judges=(no_secret_in_url,),
    ),
)
