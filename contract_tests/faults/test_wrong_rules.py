"""Scenario files that are wrong: each is refused in one line with file, line and path.

What a file may not say, the control API may not be told either; then nothing has changed.
"""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import fields

from contract_tests.clients.senders import by_hand
from contract_tests.support.control_calls import Steer
from contract_tests.support.raw import exchange, wire
from mockserver import HandClock, MockServer
from mockserver.cli import main as cli
from mockserver.client.fault_keywords import ANSWER, MATCH, WHEN, sections
from mockserver.faults.parsing import ANSWER_BODY_MAX, AnswerSpec, FiringSpec
from mockserver.faults.rules import RuleMatch
from mockserver.files import scenarios, strict_yaml, worlds
from mockserver.files.lookup import FileError
from mockserver.http.exchange import create_exchange
from mockserver.model import times

WORLD = worlds.load("default")
START = times.parse_instant("2026-01-01T00:00:00Z")
D = "/sandboxes/default"
SOON = 30  # seconds, for a process

PROVIDERS = "there are cdp, coinapi, coinstats, coinw, cpg, or *"
SPANS = "requests are counted from 1: write 2, 1-3 or 5-, not "
ONE_ANSWER = "give one of reject, page, or status with headers and body"
STATUS = "status is a number from 200 to 599"
HEADER = " is not a header that a raw answer may set"
VALUE = "takes printable ASCII in one line"
NAME = "a name has lower-case letters, digits, . _ -, and at most 64 characters"
NO_REQUEST = " has characters that no request can have"
NO_PATH = " is no path: it begins with /, has no query, and may end in *"
DURATION = " is no duration: write 250ms, 61s, 1m30s or 1h"
A_DURATION = "takes a duration such as 250ms, or seconds, of at most 1h"
A_PATH = " is no path to a member: write one such as $.data[0].amount"
FRACTION = "takes a fraction from 0 up to, but not including, 1"
ROW = "takes a whole number from 0 to 1000000"
TRUE = "takes true and nothing else"

LONG = "takes at most 1024 characters"
MANY = "takes at most 64 names"


def many(count: int) -> str:
    """Returns so many names, each with a value."""
    return "{" + ", ".join(f"A{n}: b" for n in range(count)) + "}"


# One line of a rule, the fourth of its file: what is wrong there, where, and in which words.
LINES: list[tuple[str, str, str]] = [
    # unknown keys, and what is said twice
    ("whenn: {times: 1}", ".whenn", "Object contains unknown field `whenn`; did you mean when?"),
    ("match: {provder: cdp}", ".match.provder", "Object contains unknown field `provder`; did you mean provider?"),
    ("when: {request: 1}", ".when.request", "Object contains unknown field `request`; did you mean requests?"),
    ("when: {from_: 1s}", ".when.from_", "Object contains unknown field `from_`; did you mean from?"),
    ("answer: {rejects: forbidden}", ".answer.rejects", "Object contains unknown field `rejects`; did you mean reject?"),
    ("mutate: {dorp: $.data}", ".mutate.dorp", "there is no dorp: there are bom, charset, digits, "),
    ("deliver: {closed: true}", ".deliver.closed", "there is no closed: there are bandwidth, close, cut, "),
    ("deliver: {__init__: true}", ".deliver.__init__", "there is no __init__: there are "),
    ("deliver: {../mutations/drop: true}", '.deliver["../mutations/drop"]', "there is no ../mutations/drop: "),
    ("mutate: {close: true}", ".mutate.close", "there is no close: there are "),
    ("deliver: {drop: $.data}", ".deliver.drop", "there is no drop: there are "),
    # wrong types
    ("match: cdp", ".match", "Expected `object`, got `str`"),
    ("match: {provider: 5}", ".match.provider", "Expected `str`, got `int`"),
    ("match: {header: {X-A: 1}}", '.match.header["X-A"]', "Expected `str`, got `int`"),
    ("match: {query: [a]}", ".match.query", "Expected `object`, got `array`"),
    ("when: {requests: 1.5}", ".when.requests", "Expected `int | str | null`, got `float`"),
    ("when: {requests: true}", ".when.requests", "Expected `int | str | null`, got `bool`"),
    ("when: {probability: half}", ".when.probability", "Expected `float | null`, got `str`"),
    ("when: {every: 2.0}", ".when.every", "Expected `int | null`, got `float`"),
    ("when: {times: '2'}", ".when.times", "Expected `int | null`, got `str`"),
    ("when: {for: [5]}", ".when.for", "Expected `int | float | str | null`, got `array`"),
    ("answer: forbidden", ".answer", "Expected `object`, got `str`"),
    ("answer: null", ".answer", "Expected `object`, got `null`"),
    ("answer: {status: '500'}", ".answer.status", "Expected `int | null`, got `str`"),
    ("answer: {status: 500, headers: {Retry-After: 5}}", '.answer.headers["Retry-After"]', "Expected `str`, got `int`"),
    ("answer: {status: 500, body: {a: 1}}", ".answer.body", "Expected `str | null`, got `object`"),
    ("mutate: [drop]", ".mutate", "Expected `object`, got `array`"),
    ("mutate: {drop: [a]}", ".mutate.drop", "takes a path such as $.data[0].amount"),
    ("mutate: {extra: 1}", ".mutate.extra", TRUE),
    ("mutate: {stale: false}", ".mutate.stale", TRUE),
    ("mutate: {drop_row: '1'}", ".mutate.drop_row", ROW),
    ("deliver: {close: 'true'}", ".deliver.close", TRUE),
    ("deliver: {cut: half}", ".deliver.cut", FRACTION),
    # impossible ranges
    ("when: {requests: 0}", ".when", SPANS + "0"),
    ("when: {requests: -1}", ".when", SPANS + "-1"),
    ("when: {requests: 0-3}", ".when", SPANS + "'0-3'"),
    ("when: {requests: 3-1}", ".when", SPANS + "'3-1'"),
    ("when: {requests: -3}", ".when", SPANS + "-3"),
    ("when: {requests: 1--3}", ".when", SPANS + "'1--3'"),
    ("when: {requests: '1,3'}", ".when", SPANS + "'1,3'"),
    ("when: {requests: '\u0661-\u0663'}", ".when", SPANS + "'\u0661-\u0663'"),
    ("when: {requests: 1000000000}", ".when", SPANS + "1000000000"),
    ("when: {requests: ''}", ".when", SPANS + "''"),
    ("when: {requests: 2-4, every: 4}", ".when", "every: 4 can never fire within requests: 2-4"),
    ("when: {requests: 2, every: 2}", ".when", "every: 2 can never fire within requests: 2"),
    ("when: {probability: 1.0000001}", ".when", "probability is a number from 0 to 1"),
    ("when: {probability: -0.0000001}", ".when", "probability is a number from 0 to 1"),
    ("when: {probability: 1e999}", ".when", "probability is a number from 0 to 1"),
    ("when: {every: 0}", ".when", "every is a whole number from 1 to 1000000000"),
    ("when: {times: 0}", ".when", "times is a whole number from 1 to 1000000000"),
    ("when: {times: -1}", ".when", "times is a whole number from 1 to 1000000000"),
    ("when: {times: 1000000001}", ".when", "times is a whole number from 1 to 1000000000"),
    ("when: {every: 999999999999999999999999999999}", ".when.every", "Expected `int | null`, got `float`"),
    ("when: {from: -1s}", ".when", "'-1s' is negative, or longer than a year"),
    ("when: {from: 8785h}", ".when", "'8785h' is negative, or longer than a year"),
    ("when: {from: 1d}", ".when", "'1d'" + DURATION),
    ("when: {from: 1.5.5s}", ".when", "'1.5.5s'" + DURATION),
    ("when: {from: 1s1m}", ".when", "'1s1m'" + DURATION),
    ("when: {for: 0.0000000001}", ".when", "1e-10 seconds are less than a nanosecond"),
    ("when: {for: 0s}", ".when", "the rule ends before it begins"),
    ("when: {from: 10s, until: 10s}", ".when", "the rule ends before it begins"),
    ("when: {from: 10s, until: 9999ms}", ".when", "the rule ends before it begins"),
    ("when: {until: 10s, for: 10s}", ".when", "give until or for, not both"),
    ("when: {period: 1m}", ".when", "a period is at least as long as the time that it repeats"),
    ("when: {from: 1s, period: 1m}", ".when", "a period is at least as long as the time that it repeats"),
    ("when: {for: 61s, period: 1m}", ".when", "a period is at least as long as the time that it repeats"),
    ("when: {from: 31s, for: 30s, period: 1m}", ".when", "a period is at least as long as the time that it repeats"),
    ("mutate: {drop_row: -1}", ".mutate.drop_row", ROW),
    ("mutate: {duplicate_row: 1000001}", ".mutate.duplicate_row", ROW),
    ("mutate: {digits: 61}", ".mutate.digits", "takes a whole number from 0 to 60"),
    ("mutate: {truncate_json: 1}", ".mutate.truncate_json", FRACTION),
    ("deliver: {cut: 1}", ".deliver.cut", FRACTION),
    ("deliver: {cut: 1.0}", ".deliver.cut", FRACTION),
    ("deliver: {cut: -0.1}", ".deliver.cut", FRACTION),
    ("deliver: {cut: true}", ".deliver.cut", FRACTION),
    ("deliver: {hang: 3601}", ".deliver.hang", A_DURATION),
    ("deliver: {hang: -1}", ".deliver.hang", A_DURATION),
    ("deliver: {hang: 61m}", ".deliver.hang", A_DURATION),
    ("deliver: {hang: 1e999}", ".deliver.hang", A_DURATION),
    ("deliver: {delay: soon}", ".deliver.delay", A_DURATION),
    ("deliver: {delay: {uniform: [2s, 1s]}}", ".deliver.delay", "uniform takes [shortest, longest], in this order"),
    ("deliver: {delay: {uniform: [1s]}}", ".deliver.delay", "uniform takes [shortest, longest]"),
    ("deliver: {delay: {uniform: [1s, 2s], extra: 1}}", ".deliver.delay", "takes {uniform}"),
    ("deliver: {delay: {lognormal: {median: 1s}}}", ".deliver.delay", "takes {median, sigma}"),
    ("deliver: {delay: {lognormal: {median: 1s, sigma: 6}}}", ".deliver.delay", "sigma is a number from 0 to 5"),
    ("deliver: {delay: {normal: {}}}", ".deliver.delay", "takes {lognormal}"),
    ("deliver: {delay: 1s, clock: moon}", ".deliver.clock", "clock is real or sandbox"),
    ("deliver: {hang: 1s, clock: sandbox}", ".deliver.clock", "there is no clock: there are "),
    ("deliver: {dribble: {bytes: 0, every: 1ms}}", ".deliver.dribble", "takes a whole number from 1 to 1048576"),
    ("deliver: {dribble: 5}", ".deliver.dribble", "takes {bytes, every}"),
    ("deliver: {bandwidth: 0}", ".deliver.bandwidth", "takes a whole number from 1 to 1073741824"),
    ("deliver: {bandwidth: 1073741825}", ".deliver.bandwidth", "takes a whole number from 1 to 1073741824"),
    ("deliver: {garbage: 1048577}", ".deliver.garbage", "takes a whole number from 1 to 1048576"),
    ("deliver: {wrong_length: 0}", ".deliver.wrong_length", "takes +n or -n, n from 1 to 1000000"),
    ("deliver: {wrong_length: 1000001}", ".deliver.wrong_length", "takes +n or -n, n from 1 to 1000000"),
    ("deliver: {reset: after}", ".deliver.reset", "takes before or body"),
    # names that nobody has
    ("match: {provider: binance}", ".match", "no provider binance: " + PROVIDERS),
    ("match: {provider: ''}", ".match", "no provider : " + PROVIDERS),
    ("match: {provider: CDP}", ".match", "no provider CDP: " + PROVIDERS + "; did you mean cdp?"),
    ("match: {operation: getBalance, provider: cpg}", ".match", "no operation getBalance: there are balances, listBalances, submitWithdrawal, "),
    ("match: {operation: nothing}", ".match", "no operation nothing: there are balances, listAccounts, "),
    ("match: {operation: balances, method: PATCH}", ".match", "no method PATCH: there are GET, POST"),
    ("match: {provider: cpg, operation: balances, method: POST}", ".match", "no method POST: there are GET"),
    ("match: {method: get}", ".match", "no method get: there are GET, PATCH, POST"),
    ("answer: {reject: nothing}", ".answer", "cdp, coinapi, coinstats, coinw, cpg have no reason nothing: there are bad_method, "),
    ("answer: {reject: replayed}", ".answer", "cdp, coinapi, coinstats, coinw have no reason replayed: there are "),
    ("answer: {reject: forbidden, variant: alternative}", ".answer", "no variant of forbidden alternative: there are none"),
    ("answer: {status: 500, variant: alternative}", ".answer", "variant is another form of a reject: give reject as well"),
    ("answer: {reject: forbidden, rejected_message: x}", ".answer", "forbidden has no rejected_message: there are none"),
    ("answer: {status: 500, rejected_message: x}", ".answer", "rejected_message is a part of a reject: give reject as well"),
    ("answer: {page: nothing}", ".answer", "no page nothing: there are proxy-502, proxy-504, "),
    ("answer: {page: ../maintenance}", ".answer", "no page ../maintenance: there are "),
    ("mutate: {charset: utf-9}", ".mutate.charset", "takes utf-8 or utf-16 or "),
    # a reason that the provider lacks
    ("match: {provider: cdp}\n    answer: {reject: replayed}", ".answer", "cdp has no reason replayed: there are bad_method, bad_page_token, "),
    ("match: {operation: returnBalances}\n    answer: {reject: not_found}", ".answer", "coinw has no reason not_found: there are "),
    ("match: {operation: listBalances}\n    answer: {reject: replayed}", ".answer", "cdp has no reason replayed: there are "),
    # answers that contradict themselves
    ("answer: {}", ".answer", ONE_ANSWER),
    ("answer: {reject: forbidden, status: 403}", ".answer", ONE_ANSWER),
    ("answer: {reject: forbidden, body: x}", ".answer", ONE_ANSWER),
    ("answer: {reject: forbidden, page: maintenance}", ".answer", ONE_ANSWER),
    ("answer: {page: maintenance, headers: {A: b}}", ".answer", ONE_ANSWER),
    ("answer: {body: x}", ".answer", STATUS),
    ("answer: {headers: {A: b}}", ".answer", STATUS),
    ("answer: {status: 199}", ".answer", STATUS),
    ("answer: {status: 600}", ".answer", STATUS),
    ("answer: {status: -200}", ".answer", STATUS),
    ("answer: {status: 204, body: x}", ".answer", "a response with status 204 has no body"),
    ("answer: {status: 304, body: x}", ".answer", "a response with status 304 has no body"),
    ("answer: {status: 500, headers: {Content-Length: '5'}}", ".answer", "'Content-Length'" + HEADER),
    ("answer: {status: 500, headers: {transfer-encoding: chunked}}", ".answer", "'transfer-encoding'" + HEADER),
    ("answer: {status: 500, headers: {CONNECTION: close}}", ".answer", "'CONNECTION'" + HEADER),
    # CR, LF, NUL and other signs that are in no line
    (r'answer: {status: 500, headers: {"A\r\nB": c}}', ".answer", r"'A\r\nB'" + HEADER),
    (r'answer: {status: 500, headers: {"A\0": c}}', ".answer", r"'A\x00'" + HEADER),
    ("answer: {status: 500, headers: {'A B': c}}", ".answer", "'A B'" + HEADER),
    ("answer: {status: 500, headers: {'A:': c}}", ".answer", "'A:'" + HEADER),
    ("answer: {status: 500, headers: {'': c}}", ".answer", "''" + HEADER),
    ("answer: {status: 500, headers: {ä: c}}", ".answer", "'ä'" + HEADER),
    (f"answer: {{status: 500, headers: {{{'x' * 101}: c}}}}", ".answer", f"'{'x' * 101}'" + HEADER),
    (r'answer: {status: 500, headers: {A: "b\r\nC: d"}}', ".answer", "the header A " + VALUE),
    (r'answer: {status: 500, headers: {A: "b\nC: d"}}', ".answer", "the header A " + VALUE),
    (r'answer: {status: 500, headers: {A: "b\rC: d"}}', ".answer", "the header A " + VALUE),
    (r'answer: {status: 500, headers: {A: "b\0"}}', ".answer", "the header A " + VALUE),
    (r'answer: {status: 500, headers: {A: "b\e[31m"}}', ".answer", "the header A " + VALUE),
    (r'answer: {status: 500, headers: {A: "b\t"}}', ".answer", "the header A " + VALUE),
    (r'answer: {status: 500, headers: {A: "b\N"}}', ".answer", "the header A " + VALUE),
    ("answer: {status: 500, headers: {A: é}}", ".answer", "the header A " + VALUE),
    (r'mutate: {media_type: "text/html\r\nX: y"}', ".mutate.media_type", VALUE),
    (r'mutate: {media_type: "text/html\0"}', ".mutate.media_type", VALUE),
    ("mutate: {media_type: ''}", ".mutate.media_type", VALUE),
    ("mutate: {media_type: ' '}", ".mutate.media_type", VALUE),
    (r'mutate: {charset: "utf-8\n"}', ".mutate.charset", "takes utf-8 or utf-16 or "),
    (r'match: {path: "/v1\n"}', ".match", r"'/v1\n'" + NO_REQUEST),
    (r'match: {path: "/v1\0"}', ".match", r"'/v1\x00'" + NO_REQUEST),
    (r'match: {method: "GET\r"}', ".match", r"'GET\r'" + NO_REQUEST),
    (r'match: {credential: "main\n"}', ".match", r"'main\n'" + NO_REQUEST),
    (r'match: {header: {"A\n": b}}', ".match", r"'A\n'" + NO_REQUEST),
    (r'match: {header: {A: "b\e"}}', ".match", r"'b\x1b'" + NO_REQUEST),
    (r'match: {query: {"a\r": b}}', ".match", r"'a\r'" + NO_REQUEST),
    (r'match: {query: {a: "b\L"}}', ".match", r"'b\u2028'" + NO_REQUEST),
    (r'when: {requests: "1-3\n"}', ".when", SPANS + r"'1-3\n'"),
    (r'when: {for: "1s\n"}', ".when", r"'1s\n'" + DURATION),
    (r'deliver: {hang: "1s\n"}', ".deliver.hang", A_DURATION),
    (r'deliver: {wrong_length: "+1\n"}', ".deliver.wrong_length", "takes +n or -n, n from 1 to 1000000"),
    (r'deliver: {reset: "body\n"}', ".deliver.reset", "takes before or body; did you mean body?"),
    # paths of a request and of a body
    ("match: {path: v1/balances}", ".match", "'v1/balances'" + NO_PATH),
    ("match: {path: '/v1/balances?x=1'}", ".match", "'/v1/balances?x=1'" + NO_PATH),
    ("match: {path: '/v1/*/balances'}", ".match", "'/v1/*/balances'" + NO_PATH),
    ("match: {path: '**'}", ".match", "'**'" + NO_PATH),
    ("match: {path: /v1/é}", ".match", "'/v1/é'" + NO_PATH),
    ("match: {path: '/v1/a b'}", ".match", "'/v1/a b'" + NO_PATH),
    ("mutate: {drop: data}", ".mutate.drop", "'data'" + A_PATH),
    ("mutate: {drop: $}", ".mutate.drop", "'$'" + A_PATH),
    ("mutate: {'null': '$.a[x]'}", ".mutate.null", "'$.a[x]'" + A_PATH),
    ("mutate: {retype: '$..a'}", ".mutate.retype", "'$..a'" + A_PATH),
    ("mutate: {enum: '$.a['}", ".mutate.enum", "'$.a['" + A_PATH),
    ("mutate: {drop: '$.a[1234567]'}", ".mutate.drop", "'$.a[1234567]'" + A_PATH),
    (f"mutate: {{drop: '$.{'a' * 511}'}}", ".mutate.drop", f"'$.{'a' * 511}'" + A_PATH),
    # long, and many
    (f"answer: {{status: 500, headers: {{A: {'x' * 1025}}}}}", ".answer", LONG),
    (f"mutate: {{media_type: {'x' * 1025}}}", ".mutate.media_type", LONG),
    (f"match: {{path: /{'x' * 1024}}}", ".match", LONG),
    (f"match: {{header: {{A: {'x' * 1025}}}}}", ".match", LONG),
    (f"match: {{query: {{a: {'x' * 1025}}}}}", ".match", LONG),
    (f"match: {{header: {many(65)}}}", ".match", MANY),
    (f"match: {{query: {many(65)}}}", ".match", MANY),
    (f"answer: {{status: 500, headers: {many(65)}}}", ".answer", MANY),
    # huge and deep
    (f"mutate: {{drop: {'[' * 60}{']' * 60}}}", ".mutate.drop", "takes a path such as $.data[0].amount"),
    (f"deliver: {{delay: {'{uniform: ' * 60}1{'}' * 60}}}", ".deliver.delay", "uniform takes [shortest, longest]"),
    ("answer: {status: 99999999999999999999}", ".answer.status", "Expected `int | null`, got `float`"),
    ("mutate: {drop_row: 1e308}", ".mutate.drop_row", ROW),
]  # fmt: skip


def file_of(line: str) -> str:
    """Returns a scenario whose rule has this line, and an effect where it has none."""
    has_one = re.search("answer|mutate|deliver", line)
    return f"name: mine\nrules:\n  - name: a\n    {line}\n{'' if has_one else EFFECT}"


EFFECT = "    deliver: {close: true}\n"
STOP = "{name: a, deliver: {close: true}}"


def named(name: str) -> str:
    return f"rules:\n  -\n    name: {name}\n{EFFECT}"


# Whole files: the text, and the line, the path and the words of what is wrong.
FILES: list[tuple[str, int, str, str]] = [
    ("rules: []\nruels: []\n", 2, "$.ruels", "Object contains unknown field `ruels`; did you mean rules?"),
    ("name: a\nrules: {}\n", 2, "$.rules", "Expected `array`, got `object`"),
    ("name: a\nrules:\n", 2, "$.rules", "Expected `array`, got `null`"),
    ("rules: [a]\n", 1, "$.rules[0]", "Expected `object`, got `str`"),
    (f"rules:\n  - {STOP}\n  - 5\n", 3, "$.rules[1]", "Expected `object`, got `int`"),
    ("rules:\n  - deliver: {close: true}\n", 2, "$.rules[0]", "Object missing required field `name`"),
    (f"rules:\n  - {STOP}\n  - name: a\n{EFFECT}", 3, "$.rules[1].name", "there are two rules a"),
    ("rules:\n  - name: a\n", 2, "$.rules[0]", "a rule needs answer, mutate or deliver"),
    ("rules:\n  - name: a\n    match: {provider: cdp}\n", 2, "$.rules[0]", "a rule needs answer, mutate or deliver"),
    ("rules:\n  - name: a\n    mutate: {}\n    deliver: {}\n", 2, "$.rules[0]", "a rule needs answer, mutate or deliver"),
    ("rules:\n  - name: a\n    answer: {status: 500}\n    mutate: {bom: true}\n", 4, "$.rules[0].mutate", "a rule has either answer or mutate, not both"),
    ("rules:\n  - name: a\n    mutate: {bom: true}\n    answer: {reject: forbidden}\n", 3, "$.rules[0].mutate", "a rule has either answer or mutate, not both"),
    ("rules:\n  - name: a\n    deliver:\n      cut: 0.5\n      hang: never\n", 5, "$.rules[0].deliver.hang", A_DURATION),
    ("rules:\n  - name: a\n    when:\n      times: 1\n      sometimes: 2\n", 5, "$.rules[0].when.sometimes", "Object contains unknown field `sometimes`; did you mean times?"),
    (named("5"), 3, "$.rules[0].name", "Expected `str`, got `int`"),
    *[(named(name), 3, "$.rules[0].name", NAME) for name in ("A", "''", "-a", ".a", "..", "../a", "a/b", "a/../b", "a b", "ä", "'%2e'", "x" * 65, r'"a\n"', r'"a\r\nb"', r'"a\0"', r'"a\e[31m"')],
    *[(f"name: {name}\nrules: []\n", 1, "$.name", "use lower-case letters, digits, . _ -") for name in ("Mine", "../mine", "a/b", "/etc/passwd", "..", "x" * 65, r'"mine\n"', r'"a\0"')],
    ("name: 5\nrules: []\n", 1, "$.name", "Expected `str`, got `int`"),
    ("name: a\nabout: 5\n", 2, "$.about", "Expected `str`, got `int`"),
    (f"name: a\nabout: {'x' * 1001}\n", 2, "$.about", "is plain text of at most 1000 characters"),
    ('name: a\nabout: "a\\0b"\n', 2, "$.about", "is plain text of at most 1000 characters"),
    ('name: a\nclient: "a\\rb"\n', 2, "$.client", "is plain text of at most 1000 characters"),
    ('name: a\nclient: "a\\e[31mb"\n', 2, "$.client", "is plain text of at most 1000 characters"),
    ("name: a\nquirks: {cpg.nope: x}\n", 2, '$.quirks["cpg.nope"]', "no quirk cpg.nope: there are "),
    ("name: a\nquirks: {cpg.replay: maybe}\n", 2, '$.quirks["cpg.replay"]', "quirk cpg.replay: 'maybe' is none of on, off"),
    ("name: a\nquirks: {cpg.replay: []}\n", 2, '$.quirks["cpg.replay"]', "Expected `bool | int | float | str`, got `array`"),
    ("name: a\nlimits: {cpg.key: 5}\n", 2, '$.limits["cpg.key"]', "limit cpg.key: write N/DURATION, as in 5/60s, or off; not 5"),
    ("name: a\nabout: Nothing.\n", 1, "$", "nothing to play: give rules, quirks, limits, skew or tls_fault"),
    ("name: a\nrules: []\n", 1, "$", "nothing to play: give rules, quirks, limits, skew or tls_fault"),
    ("name: a\nlimits: off\n", 2, "$.limits", "Expected `object`, got `str`"),
    ("name: a\nlimits: {cpg.nope: 'off'}\n", 2, '$.limits["cpg.nope"]', "no limit cpg.nope: there are "),
    ("name: a\nlimits: {cpg.key: 1/0s}\n", 2, '$.limits["cpg.key"]', "limit cpg.key: write N/DURATION, as in 120/60s, or off; not '1/0s'"),
    ("name: a\nlimits: {cpg.key: -1/1s}\n", 2, '$.limits["cpg.key"]', "limit cpg.key: write N/DURATION, as in 120/60s, or off; not '-1/1s'"),
    ("name: a\nskew: []\n", 2, "$.skew", "Expected `int | float | str | null`, got `array`"),
    ("name: a\nskew: 5d\n", 2, "$.skew", "'5d'" + DURATION),
    ("name: a\nskew: 876001h\n", 2, "$.skew", "skew takes a duration of at most 100 years, either way"),
    ("name: a\nskew: -876001h\n", 2, "$.skew", "skew takes a duration of at most 100 years, either way"),
    (f"rules:\n  - name: a\n    answer: {{status: 500, body: {'x' * (ANSWER_BODY_MAX + 1)}}}\n", 3, "$.rules[0].answer", "a body has at most 1048576 bytes"),
    (f"rules:\n  - name: a\n    answer: {{status: 500, body: {'é' * (ANSWER_BODY_MAX // 2)}x}}\n", 3, "$.rules[0].answer", "a body has at most 1048576 bytes"),
    ("name: a\nrules:\n" + "".join(f"  - {{name: r{n}, deliver: {{close: true}}}}\n" for n in range(2001)), 2, "$.rules", "a scenario has at most 2000 rules"),
]  # fmt: skip

# What no YAML of ours says at all, or not as plain data.
BROKEN: list[tuple[str, int, str, str]] = [
    ("name: a\nabout: b\nname: b\n", 3, "$", "the key name is given twice"),
    ("rules:\n  - name: a\n    name: a\n", 3, "$", "the key name is given twice"),
    ("rules:\n  - name: a\n    deliver:\n      close: true\n      close: true\n", 5, "$", "the key close is given twice"),
    ("rules:\n  - name: a\n    match: {header: {A: b, A: c}}\n" + EFFECT, 3, "$", "the key A is given twice"),
    ("rules: []\n1: a\n", 2, "$", "the key 1 must be text: quote it"),
    ("rules:\n  - name: a\n    mutate: {null: $.a, 'null': $.b}\n", 3, "$", "the key null is given twice"),
    (f"rules: [&a {STOP}, *a]\n", 1, "$", "aliases (*name) are not read: write the value out"),
    ("rules: [&a 1, *a]\nabout: a\n", 1, "$", "aliases (*name) are not read: write the value out"),
    ("rules:\n\t- name: a\n", 2, "$", "found character that cannot start any token"),
    ("rules: []\n---\nrules: []\n", 2, "$", "but found another document"),
    ("rules: []\nabout: a\0b\n", 1, "$", "unacceptable character #x0000: "),
    ("rules: []\nabout: a\x1bb\n", 1, "$", "unacceptable character #x001b: "),
    (f"name: a\nrules: {'[' * 2_000}{']' * 2_000}\n", 2, "$", "nested too deeply"),
    (f"name: a\nrules: {'{a: ' * 2_000}1{'}' * 2_000}\n", 2, "$", "nested too deeply"),
]  # fmt: skip

ROWS = [
    *[(file_of(line), 4 + line.count("\n"), f"$.rules[0]{at}", words) for line, at, words in LINES],
    *FILES,
]
IDS = [line for line, *_ in LINES] + [f[0] for f in FILES]


def ids(texts: list[str]) -> list[str]:
    """Names rows by what they say, as far as it can be shown."""
    return [re.sub(r"\s+", " ", text)[:70] for text in texts]


def said(told: str, words: str) -> bool:
    """Tells whether the words were said: those that end in a space begin what was said."""
    return told.startswith(words) if words.endswith(" ") else told == words


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize(
    ("text", "line", "at", "words"), [*ROWS, *BROKEN], ids=ids(IDS + [b[0] for b in BROKEN])
)
def test_a_wrong_file_is_told_in_one_line_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, at: str, words: str
) -> None:
    file = written(tmp_path, text)
    before = f"{file}:{line}: {at}: "
    for use in (scenarios.load, lambda name: create_exchange(WORLD, scenario=name)):
        with pytest.raises(FileError) as wrong:
            use(str(file))
        told = str(wrong.value)
        assert told[: len(before)] == before
        assert said(told[len(before) :], words), told
        assert told.isprintable()
    with pytest.raises(SystemExit) as ended:
        cli.main(["check", str(file)])
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", f"mockserver: {told}\n")


# The same by the control API: at the same place, and nothing has changed

PLAYING = {
    "name": "playing",
    "rules": [{"name": "on", "when": {"requests": "2-"}, "answer": {"page": "maintenance"}}],
    "quirks": {"coinw.bans": "on"},
    "limits": {"cpg.key": "7/1s"},
    "skew": "-2s",
}


@pytest.fixture(scope="module")
def running() -> Iterator[MockServer]:
    with MockServer(real=HandClock(START)) as server:
        yield server


@pytest.fixture
def steer(server: MockServer) -> Iterator[Steer]:
    server.fail("stands", requests=3, deliver={"delay": "1ms"})
    server.play(PLAYING)
    by_hand(server.coinapi.base_url, wire(server.coinapi.auth.sign("GET", "/v1/balances")))
    steer = Steer(server.url)
    with steer.session:
        yield steer


def applied(server: MockServer) -> list[Any]:
    """Returns all that a scenario changes, with what the rules have counted."""
    sandbox = server.app.sandboxes.default
    parts = ("faults", "quirks", "limits", "clock", "requests")
    told = [server.default._call("GET", f"/{part}") for part in parts]  # noqa: SLF001
    active = [(name, vars(rule).copy()) for name, rule in sandbox.rulebook.rules.items()]
    return [*told, sandbox.scenario, active, sandbox.clock, len(list(server.app.sandboxes))]


# JSON has no number that is as large as this.
SAYABLE = [(id, row) for id, row in zip(IDS, ROWS, strict=True) if "1e999" not in id]


@pytest.mark.parametrize(
    ("text", "line", "at", "words"), [row for _, row in SAYABLE], ids=ids([id for id, _ in SAYABLE])
)
def test_the_control_api_refuses_the_same_and_nothing_has_changed(
    server: MockServer, steer: Steer, text: str, line: int, at: str, words: str
) -> None:
    data, before = strict_yaml.load(text), applied(server)
    assert before[0]["rules"][1]["matched"] == 1, "it plays"
    status, error, place, hint = steer.refused("PUT", f"{D}/scenario", data)
    assert (status, place, hint) == (400, at, "see docs/reference/faults.md")
    assert said(error, words)
    status, error, place, _ = steer.refused("PUT", "/sandboxes/new", {"scenario": data})
    assert (status, place) == (400, "$.scenario" + at[1:])
    assert said(error, words)
    unnamed = "required field `name`" in words  # which a rule alone may be
    if at.startswith("$.rules[0]") and isinstance(data["rules"][0], dict) and not unnamed:
        status, error, place, _ = steer.refused("POST", f"{D}/faults", data["rules"][0])
        assert (status, place) == (400, "$" + at.removeprefix("$.rules[0]"))
        assert said(error, words)
    assert applied(server) == before


def test_a_rule_too_deep_is_refused_over_http(server: MockServer, steer: Steer) -> None:
    before = applied(server)
    for depth, words in ((500, "takes a path such as "), (100_000, "the body is not JSON:")):
        deep = b"[" * depth + b"]" * depth
        rule = b'{"name": "a", "mutate": {"drop": %b}}' % deep
        for method, path, body in (
            ("POST", "faults", rule),
            ("PUT", "scenario", b'{"rules": [%b]}' % rule),
        ):
            status, error, *_ = steer.refused(method, f"{D}/{path}", body)
            assert (status, error[: len(words)]) == (400, words)
    assert applied(server) == before


# The other side of the edges

GOOD: list[str] = [
    "when: {requests: 1-1}",
    "when: {requests: 999999999}",
    "when: {requests: 999999999-}",
    "when: {requests: 2-4, every: 3}",
    "when: {requests: 2-, every: 1000000000}",
    "when: {probability: 0}",
    "when: {probability: 1}",
    "when: {times: 1000000000}",
    "when: {from: 0s}",
    "when: {from: 8784h}",
    "when: {for: 1ms}",
    "when: {from: 10s, until: 10001ms}",
    "when: {for: 1m, period: 1m}",
    "when: {from: 30s, for: 30s, period: 1m}",
    "answer: {status: 200}",
    "answer: {status: 599}",
    "answer: {status: 204}",
    "answer: {status: 204, body: ''}",
    "answer: {status: 500, headers: {A: ''}}",
    f"answer: {{status: 500, headers: {{{'x' * 100}: '~ !'}}}}",
    r'answer: {status: 500, body: "a\r\nb\0\e"}',
    f"answer: {{status: 500, body: {'x' * ANSWER_BODY_MAX}}}",
    f"answer: {{status: 500, headers: {{A: {'x' * 1024}}}}}",
    f"answer: {{status: 500, headers: {many(64)}}}",
    f"mutate: {{media_type: {'x' * 1024}}}",
    f"match: {{path: /{'x' * 1023}, header: {many(64)}, query: {many(64)}}}",
    f"match: {{header: {{{'x' * 1024}: {'x' * 1024}}}}}",
    "match: {provider: cpg}\n    answer: {reject: replayed}",
    "match: {provider: '*', operation: submitWithdrawal}\n    answer: {reject: business_rule}",
    "match: {method: PROPFIND}",
    "match: {path: '*'}",
    "match: {path: '/*'}",
    "match: {path: '/v1/%C3%A9'}",
    "match: {path: /v1/balances, header: {A: é}, query: {ä: ''}}",
    "mutate: {drop_row: 0}",
    "mutate: {duplicate_row: 1000000}",
    "mutate: {digits: 0}",
    "mutate: {digits: 60}",
    "mutate: {truncate_json: 0}",
    "mutate: {drop: '$.a[999999]'}",
    f"mutate: {{drop: '$.{'a' * 510}'}}",
    "mutate: {drop: '$[\"a b\"].*[*]'}",
    "mutate: {null: $.data}",
    "deliver: {cut: 0}",
    "deliver: {cut: 0.9999999}",
    "deliver: {hang: 3600}",
    "deliver: {hang: 60m}",
    "deliver: {hang: 0.5}",
    "deliver: {delay: 0s, clock: sandbox}",
    "deliver: {delay: {uniform: [1s, 1s]}, clock: real}",
    "deliver: {delay: {lognormal: {median: 1h, sigma: 5}}}",
    "deliver: {bandwidth: 1073741824}",
    "deliver: {garbage: 1048576}",
    "deliver: {wrong_length: -1000000}",
    "deliver: {wrong_length: '+1000000'}",
]
GOOD_FILES = [
    named("x" * 64),
    named("0.a_b-c.."),
    f"name: {'x' * 64}\nskew: 5\n",
    f"about: {'x' * 1000}\nquirks: {{cpg.timestamp_window: 1.5, cpg.replay: false}}\n",
    "client: >-\n  one\n  two\nlimits: {cpg.key: 5/1m30s}\n",
    "skew: 876000h\n",
    "skew: -876000h\n",
    "name: a\nrules:\n" + "".join(f"  - {{name: r{n}, deliver: {{close: true}}}}\n" for n in range(2000)),
]  # fmt: skip


@pytest.mark.parametrize("text", [*map(file_of, GOOD), *GOOD_FILES], ids=ids(GOOD + GOOD_FILES))
def test_what_lies_just_within_is_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file = written(tmp_path, text)
    found = scenarios.load(str(file))
    with pytest.raises(SystemExit) as ended:
        cli.main(["check", str(file)])
    assert ended.value.code == 0
    good = f"{file}: scenario {found.name} is good, {len(found.rules)} rules\n"
    assert capsys.readouterr() == (good, "")
    assert scenarios.from_data(strict_yaml.load(text)).rules == found.rules


def test_a_file_without_a_name_has_its_own(tmp_path: Path) -> None:
    assert scenarios.load(str(written(tmp_path, "skew: 1s\n"))).name == "mine"
    file = tmp_path / "My Scenario.yaml"
    file.write_text("skew: 1s\n")
    assert scenarios.load(str(file)).name == "my-scenario"


def test_python_and_files_have_the_same_words() -> None:
    words = sections()
    for kind, section in ((RuleMatch, MATCH), (FiringSpec, WHEN), (AnswerSpec, ANSWER)):
        assert tuple(field.encode_name for field in fields(kind)) == words[section]
    every = [word for section in (MATCH, WHEN, ANSWER) for word in words[section]]
    assert len({*every}) == len(every), "no word has two homes"


# The commands

CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("MOCKSERVER_")}


@pytest.mark.parametrize(
    "command", [["check"], ["serve", "--port", "0", "--scenario"]], ids=["check", "serve"]
)
@pytest.mark.parametrize(
    ("text", "place"),
    [
        (file_of(r'answer: {status: 500, headers: {A: "b\r\nC: d"}}'), "4: $.rules[0].answer: the header A " + VALUE),
        ("rules: []\nname: a\nname: b\n", "3: $: the key name is given twice"),
    ],
    ids=["header", "key"],
)  # fmt: skip
def test_a_command_ends_with_2_and_one_line(
    tmp_path: Path, command: list[str], text: str, place: str
) -> None:
    file = written(tmp_path, text)
    words = [sys.executable, "-m", "mockserver", *command, str(file)]
    done = subprocess.run(
        words, cwd=tmp_path, env=CLEAN, capture_output=True, text=True, timeout=SOON, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"mockserver: {file}:{place}\n"


@pytest.mark.parametrize("name", ["nope", "../scenarios/stale-cache", "stale-cache\n", ""])
def test_a_name_that_no_scenario_has_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        FileError, match="no such scenario: neither a file nor one of bad-connection, "
    ):
        scenarios.load(name)


# Where signs that are in no line would do harm

HOSTILE = ["\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\0X-Evil", "\x1b[31mX-Evil", "\x85X-Evil", "\u2028X-Evil", "\x7fX-Evil"]  # fmt: skip

# Every text that a rule takes, with what it is hidden in.
PLACES: dict[str, Any] = {
    "name": lambda s: {"name": "a" + s, "answer": {"status": 500}},
    "provider": lambda s: {"match": {"provider": "cpg" + s}, "answer": {"status": 500}},
    "operation": lambda s: {"match": {"operation": "ping" + s}, "answer": {"status": 500}},
    "method": lambda s: {"match": {"method": "GET" + s}, "answer": {"status": 500}},
    "path": lambda s: {"match": {"path": "/v1" + s}, "answer": {"status": 500}},
    "credential": lambda s: {"match": {"credential": "main" + s}, "answer": {"status": 500}},
    "header": lambda s: {"match": {"header": {"A" + s: "b"}}, "answer": {"status": 500}},
    "header's value": lambda s: {"match": {"header": {"A": "b" + s}}, "answer": {"status": 500}},
    "parameter": lambda s: {"match": {"query": {"A" + s: "b"}}, "answer": {"status": 500}},
    "parameter's value": lambda s: {"match": {"query": {"A": "b" + s}}, "answer": {"status": 500}},
    "requests": lambda s: {"when": {"requests": "1" + s}, "answer": {"status": 500}},
    "time": lambda s: {"when": {"from": "1s" + s}, "answer": {"status": 500}},
    "reason": lambda s: {"answer": {"reject": "forbidden" + s}},
    "page": lambda s: {"answer": {"page": "maintenance" + s}},
    "sent header": lambda s: {"answer": {"status": 500, "headers": {"A" + s: "b"}}},
    "sent header's value": lambda s: {"answer": {"status": 500, "headers": {"A": "b" + s}}},
    "mutation": lambda s: {"mutate": {"bom" + s: True}},
    "media type": lambda s: {"mutate": {"media_type": "text/html" + s}},
    "charset": lambda s: {"mutate": {"charset": "utf-8" + s}},
    "delivery": lambda s: {"deliver": {"close" + s: True}},
    "delay": lambda s: {"deliver": {"delay": "1s" + s}},
    "reset": lambda s: {"deliver": {"reset": "body" + s}},
    "length": lambda s: {"deliver": {"wrong_length": "+1" + s}},
    "member": lambda s: {"deliver": {"close": True}, "a" + s: 1},
}


@pytest.mark.parametrize("place", PLACES)
def test_no_rule_holds_a_sign_that_is_in_no_line(
    server: MockServer, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    caplog.set_level(logging.DEBUG)
    for sign in HOSTILE:
        rule = {"name": "a", **PLACES[place](sign)}
        for make in (lambda r=rule: server.default._call("POST", "/faults", r), lambda r=rule: server.play({"rules": [r]})):  # noqa: SLF001  # fmt: skip
            with pytest.raises(ValueError):
                make()
        assert server.faults == []
    answer = exchange(server.cpg.base_url, wire(server.cpg.auth.sign("GET", "/v1/nothing")))
    assert b"evil" not in answer.lower()
    assert "evil" not in repr(server.journal).lower()
    assert [r.getMessage() for r in caplog.records if r.name == "mockserver"] == [
        "cpg GET /v1/nothing -> 404 no_route: unknown path. Did you mean GET /v1/_ping?"
    ]


def test_what_a_body_says_stays_in_the_body(
    server: MockServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = "HTTP/1.1 200 OK\r\nX-Evil: 1\r\n\r\n\0\x1b[31m"
    server.cpg.fail("a", status=500, headers={"X-Told": "a: b, c"}, body=body)
    answer = exchange(server.cpg.base_url, wire(server.cpg.auth.sign("GET", "/v1/balances")))
    head, _, sent = answer.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    assert sorted(names) == [b"content-length", b"date", b"x-told"]
    assert sent == body.encode()
    told = [r.getMessage() for r in caplog.records if r.name == "mockserver"]
    assert told == ["cpg GET /v1/balances -> 500 [a]"]


# One line, whatever the file says

LOUD: list[tuple[str, int]] = [
    (file_of(r'"whe\nn": {times: 1}'), 4),
    (file_of(r'match: {"a\rb": c}'), 4),
    (file_of(r'match: {provider: "a\nb"}'), 4),
    (file_of(r'match: {operation: "a\e[31m"}'), 4),
    (file_of(r'answer: {reject: "a\r\nb"}'), 4),
    (file_of(r'answer: {page: "a\nb"}'), 4),
    (file_of(r'mutate: {"dr\nop": $.a}'), 4),
    (file_of(r'answer: {status: 500, headers: {"A\n": 5}}'), 4),
    ('rules: []\n"a\\nb": 1\n"a\\nb": 2\n', 3),
    ('rules: []\nquirks: {"cpg.a\\nb": c}\n', 2),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), LOUD, ids=ids([row[0] for row in LOUD]))
def test_what_is_wrong_is_told_in_one_line_whatever_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: int
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(FileError) as wrong:
        scenarios.load(str(file))
    told = str(wrong.value)
    assert told.startswith(f"{file}:{line}: $")
    assert told.isprintable()
    with pytest.raises(SystemExit):
        cli.main(["check", str(file)])
    assert capsys.readouterr().err == f"mockserver: {told}\n"


# Tags that say of what type a text is: of one that it is not, or that no file may name.
TAGGED = [
    *[f"!!{kind} x" for kind in ("int", "float", "bool", "timestamp")],
    "!!python/name:os.system x",
    "!!python/object/apply:os.system [x]",
    "!mine x",
]


@pytest.mark.parametrize("tagged", TAGGED)
def test_a_tag_that_makes_something_else_of_a_text_is_told(tmp_path: Path, tagged: str) -> None:
    file = written(tmp_path, f"rules: []\nskew: {tagged}\n")
    with pytest.raises(FileError, match=re.escape(f"{file}:2: ")):
        scenarios.load(str(file))


def test_a_file_of_brackets_alone_ends_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "rules: " + "[" * 100_000 + "]" * 100_000 + "\n")
    words = [sys.executable, "-m", "mockserver", "check", str(file)]
    done = subprocess.run(words, cwd=tmp_path, env=CLEAN, capture_output=True, text=True, timeout=SOON, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (2, f"mockserver: {file}:1: $: nested too deeply\n")
