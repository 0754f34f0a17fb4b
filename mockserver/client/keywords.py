"""The keywords of ``fail`` and ``verify``, for type checkers and completion.

``contract_tests/client/test_typed_names.py`` holds them equal to what the rules accept.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from mockserver.client.names import Operation, ProviderName, Reason
from mockserver.model.times import Duration

Method = Literal["DELETE", "GET", "PATCH", "POST", "PUT"]
Page = Literal[
    "cdn-403", "cdn-522", "cdn-challenge", "maintenance", "proxy-413", "proxy-502", "proxy-504"
]
Requests = str | int | range | tuple[int, int]  # 2, "1-3", "5-", (1, 3), range(1, 4)
Delay = Duration | Mapping[str, Sequence[Duration] | Mapping[str, float | str]]


class Verify(TypedDict, total=False):
    """What a counted request has; ``target`` with or without its query."""

    provider: ProviderName
    operation: Operation
    method: Method
    target: str
    status: int
    reason: Reason
    credential: str
    header: Mapping[str, str]


class Matching(TypedDict, total=False):
    """Which requests a rule matches, beside the operation."""

    method: Method
    path: str
    credential: str
    header: Mapping[str, str]
    query: Mapping[str, str]


class Match(Matching, total=False):
    """The section ``match`` of a rule."""

    provider: ProviderName | Literal["*"]
    operation: Operation


class When(TypedDict, total=False):
    """Which of the matching requests a rule fires for; ``from_`` and ``for_`` avoid keywords."""

    requests: Requests
    probability: float
    every: int
    times: int
    from_: Duration
    until: Duration
    for_: Duration
    period: Duration


class RawAnswer(TypedDict, total=False):
    """An answer, beside its reason; a body that is not text is sent as JSON."""

    page: Page
    status: int
    headers: Mapping[str, str]
    variant: str
    rejected_message: str
    body: str | Mapping[str, Any] | Sequence[Any]
    body_base64: str


class Answer(RawAnswer, total=False):
    """The section ``answer`` of a rule."""

    reject: Reason


class Mutate(TypedDict, total=False):
    """Changes of a good response; a path is such as ``$.data[0].amount``."""

    bom: bool
    charset: str
    digits: int
    double_json: bool
    drop: str
    drop_row: int
    duplicate_row: int
    empty_page: bool
    enum: str
    expire_token: bool
    exponent: bool
    extra: bool
    gzip: Literal["good", "truncated", "lying", "wrong_length"]
    invalid_utf8: bool
    media_type: str
    null: str
    repeat_row: bool
    repeat_token: bool
    retype: str
    stale: bool
    truncate_json: float


class Deliver(TypedDict, total=False):
    """How a response is sent; ``True`` stands for the usual value, as in ``{"reset": True}``."""

    bandwidth: int
    clock: Literal["real", "sandbox"]
    close: bool
    cut: float
    delay: Delay
    dribble: Mapping[str, Duration]
    garbage: int
    hang: Duration
    malformed_chunk: bool
    reset: Literal["before", "body"] | bool
    slow_headers: Duration
    wrong_length: int


Mutation = Literal[
    "bom", "double_json", "empty_page", "expire_token", "exponent", "extra", "invalid_utf8",
    "repeat_row", "repeat_token", "stale", "truncate_json",
]  # fmt: skip
Delivery = Literal["close", "cut", "hang", "malformed_chunk", "reset"]


class CommonRule(Matching, When, RawAnswer, Mutate, Deliver, total=False):
    """The keywords of ``fail`` that are the same for every provider."""

    match: Match
    when: When
    answer: Answer
    mutate: Mutate | Mutation
    deliver: Deliver | Delivery


class Rule(CommonRule, total=False):
    """The keywords of ``fail`` where any provider is meant."""

    operation: Operation
    reject: Reason


class SandboxRule(Rule, total=False):
    """The keywords of ``sandbox.fail``."""

    provider: ProviderName | Literal["*"]
