"""The tables of which fault rules consist, as data: match, when, answer, mutate and deliver."""

from functools import cache
from typing import Any

from mockserver.control.routes import ControlCall
from mockserver.faults import kinds
from mockserver.faults.pages import ERROR_PAGES
from mockserver.faults.parameters import schema_of

TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
DURATION = {"type": ["string", "number"], "format": "duration"}
COUNT = {"type": "integer", "minimum": 1}

# Member, what it says, the JSON Schema of its values.
Member = tuple[str, str, dict[str, Any]]
TEXT = {"type": "string"}
MATCH: tuple[Member, ...] = (
    ("provider", "The provider, or * for all.", TEXT | {"examples": ["cpg"]}),
    ("operation", "The operation; balances is the main read.", TEXT | {"examples": ["balances"]}),
    ("method", "The method.", TEXT | {"examples": ["GET"]}),
    ("path", "The path below the base URL; may end in *.", TEXT | {"examples": ["/v1/*"]}),
    ("credential", "The credential's label.", TEXT | {"examples": ["main"]}),
    ("header", "Headers that the request must have.", TEXTS | {"examples": [{"x-team": "blue"}]}),
    ("query", "Parameters that the request must have.", TEXTS | {"examples": [{"page": "2"}]}),
)
WHEN: tuple[Member, ...] = (
    (
        "requests",
        "Which of the matching requests, counted from 1.",
        {"type": ["string", "integer"], "examples": ["1-3"]},
    ),
    (
        "probability",
        "The share of the matching requests, drawn from the seed.",
        {"type": "number", "minimum": 0, "maximum": 1, "examples": [0.1]},
    ),
    ("every", "Each n-th matching request.", COUNT | {"examples": [4]}),
    ("times", "How often the rule fires at most.", COUNT | {"examples": [3]}),
    ("from", "How long after it was set the rule begins.", DURATION | {"examples": ["30s"]}),
    ("until", "How long after it was set the rule ends.", DURATION | {"examples": ["5m"]}),
    ("for", "How long the rule lasts.", DURATION | {"examples": ["30s"]}),
    ("period", "After how long its time repeats.", DURATION | {"examples": ["1m"]}),
)
ANSWER: tuple[Member, ...] = (
    (
        "reject",
        "A reason, answered in the provider's own words.",
        TEXT | {"examples": ["rate_limited"]},
    ),
    (
        "variant",
        "Another form that the provider has of the reject.",
        TEXT | {"examples": ["alternative"]},
    ),
    (
        "rejected_message",
        "The message that a reject of CoinAPI quotes.",
        TEXT | {"examples": ['{"type":"BALANCES_REQUEST"}']},
    ),
    (
        "page",
        "A page of a proxy or CDN in front of the exchange.",
        {"enum": [*ERROR_PAGES], "examples": ["proxy-502"]},
    ),
    (
        "status",
        "The status of a raw answer.",
        {"type": "integer", "minimum": 200, "maximum": 599, "examples": [503]},
    ),
    ("headers", "Headers of a raw answer.", TEXTS | {"examples": [{"retry-after": "5"}]}),
    ("body", "The body of a raw answer.", TEXT | {"examples": ["down"]}),
    ("body_base64", "The same as bytes, in base64.", TEXT | {"examples": ["H4sIAAAAAAAA"]}),
)


def show(call: ControlCall) -> dict[str, Any]:
    """Returns each part of a rule with its members: name, what it says, its values."""
    return _tables()


@cache
def _tables() -> dict[str, Any]:
    parts = {"match": MATCH, "when": WHEN, "answer": ANSWER}
    tables: dict[str, Any] = {
        part: [{"name": name, "about": about, "value": value} for name, about, value in rows]
        for part, rows in parts.items()
    }
    groups = {"mutate": kinds.MUTATIONS, "deliver": kinds.DELIVERIES}
    for part, group in groups.items():
        tables[part] = [
            {"name": kind.name, "about": kind.about, "value": schema_of(kind.parse)}
            for kind in kinds.kinds(group).values()
        ]
    return tables
