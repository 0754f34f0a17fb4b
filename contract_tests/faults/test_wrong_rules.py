"""Wrong scenario files: each is one line with file, line and path, also in the control API."""

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
from contract_tests.support.commands import run_here
from contract_tests.support.control_calls import ControlClient
from contract_tests.support.raw import exchange, wire
from mockserver import HandClock, MockServer
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


def many(count: int) -> str:
    """Returns so many names, each with a value."""
    return "{" + ", ".join(f"A{n}: b" for n in range(count)) + "}"


# One line of a rule, the fourth of its file, and the path to what is wrong.
LINES: list[tuple[str, str]] = [
    # unknown keys
    ("whenn: {times: 1}", ".whenn"),
    ("match: {provder: cdp}", ".match.provder"),
    ("mutate: {dorp: $.data}", ".mutate.dorp"),
    ("deliver: {../mutations/drop: true}", '.deliver["../mutations/drop"]'),
    # wrong types
    ("match: cdp", ".match"),
    ("match: {header: {X-A: 1}}", '.match.header["X-A"]'),
    ("when: {requests: true}", ".when.requests"),
    ("when: {every: 2.0}", ".when.every"),
    ("answer: null", ".answer"),
    ("answer: {status: 500, headers: {Retry-After: 5}}", '.answer.headers["Retry-After"]'),
    ("mutate: [drop]", ".mutate"),
    ("mutate: {drop: [a]}", ".mutate.drop"),
    ("mutate: {extra: 1}", ".mutate.extra"),
    ("mutate: {drop_row: '1'}", ".mutate.drop_row"),
    # impossible ranges
    ("when: {requests: 0}", ".when"),
    ("when: {requests: 0-3}", ".when"),
    ("when: {requests: 3-1}", ".when"),
    ("when: {requests: '\u0661-\u0663'}", ".when"),
    ("when: {requests: 1000000000}", ".when"),
    ("when: {requests: 2-4, every: 4}", ".when"),
    ("when: {probability: 1.0000001}", ".when"),
    ("when: {probability: -0.0000001}", ".when"),
    ("when: {every: 0}", ".when"),
    ("when: {times: 1000000001}", ".when"),
    ("when: {every: 999999999999999999999999999999}", ".when.every"),
    ("when: {from: -1s}", ".when"),
    ("when: {from: 8785h}", ".when"),
    ("when: {from: 1d}", ".when"),
    ("when: {for: 0s}", ".when"),
    ("when: {from: 10s, until: 10s}", ".when"),
    ("when: {until: 10s, for: 10s}", ".when"),
    ("when: {period: 1m}", ".when"),
    ("when: {for: 61s, period: 1m}", ".when"),
    ("when: {from: 31s, for: 30s, period: 1m}", ".when"),
    ("mutate: {drop_row: -1}", ".mutate.drop_row"),
    ("mutate: {duplicate_row: 1000001}", ".mutate.duplicate_row"),
    ("mutate: {digits: 61}", ".mutate.digits"),
    ("mutate: {truncate_json: 1}", ".mutate.truncate_json"),
    ("deliver: {cut: 1}", ".deliver.cut"),
    ("deliver: {cut: -0.1}", ".deliver.cut"),
    ("deliver: {cut: true}", ".deliver.cut"),
    ("deliver: {hang: 3601}", ".deliver.hang"),
    ("deliver: {delay: soon}", ".deliver.delay"),
    ("deliver: {delay: {uniform: [2s, 1s]}}", ".deliver.delay"),
    ("deliver: {delay: {uniform: [1s]}}", ".deliver.delay"),
    ("deliver: {delay: {uniform: [1s, 2s], extra: 1}}", ".deliver.delay"),
    ("deliver: {delay: {lognormal: {median: 1s}}}", ".deliver.delay"),
    ("deliver: {delay: {lognormal: {median: 1s, sigma: 6}}}", ".deliver.delay"),
    ("deliver: {delay: {normal: {}}}", ".deliver.delay"),
    ("deliver: {delay: 1s, clock: moon}", ".deliver.clock"),
    ("deliver: {hang: 1s, clock: sandbox}", ".deliver.clock"),
    ("deliver: {dribble: {bytes: 0, every: 1ms}}", ".deliver.dribble"),
    ("deliver: {dribble: 5}", ".deliver.dribble"),
    ("deliver: {bandwidth: 0}", ".deliver.bandwidth"),
    ("deliver: {bandwidth: 1073741825}", ".deliver.bandwidth"),
    ("deliver: {garbage: 1048577}", ".deliver.garbage"),
    ("deliver: {wrong_length: 0}", ".deliver.wrong_length"),
    ("deliver: {reset: after}", ".deliver.reset"),
    # unknown names
    ("match: {provider: binance}", ".match"),
    ("match: {provider: CDP}", ".match"),
    ("match: {operation: getBalance, provider: cpg}", ".match"),
    ("match: {operation: balances, method: PATCH}", ".match"),
    ("match: {method: get}", ".match"),
    ("answer: {reject: nothing}", ".answer"),
    ("answer: {reject: replayed}", ".answer"),
    ("answer: {reject: forbidden, variant: alternative}", ".answer"),
    ("answer: {status: 500, variant: alternative}", ".answer"),
    ("answer: {reject: forbidden, rejected_message: x}", ".answer"),
    ("answer: {status: 500, rejected_message: x}", ".answer"),
    ("answer: {page: nothing}", ".answer"),
    ("mutate: {charset: utf-9}", ".mutate.charset"),
    # a reason that the provider lacks
    ("match: {provider: cdp}\n    answer: {reject: replayed}", ".answer"),
    ("match: {operation: listBalances}\n    answer: {reject: replayed}", ".answer"),
    # answers that contradict themselves
    ("answer: {}", ".answer"),
    ("answer: {reject: forbidden, status: 403}", ".answer"),
    ("answer: {page: maintenance, headers: {A: b}}", ".answer"),
    ("answer: {body: x}", ".answer"),
    ("answer: {status: 199}", ".answer"),
    ("answer: {status: 600}", ".answer"),
    ("answer: {status: 204, body: x}", ".answer"),
    ("answer: {status: 500, headers: {Content-Length: '5'}}", ".answer"),
    # paths of a request and of a body
    ("match: {path: v1/balances}", ".match"),
    ("match: {path: '/v1/balances?x=1'}", ".match"),
    ("match: {path: '/v1/*/balances'}", ".match"),
    ("mutate: {drop: data}", ".mutate.drop"),
    ("mutate: {'null': '$.a[x]'}", ".mutate.null"),
    ("mutate: {retype: '$..a'}", ".mutate.retype"),
    ("mutate: {enum: '$.a['}", ".mutate.enum"),
    # long, and many
    (f"answer: {{status: 500, headers: {{A: {'x' * 1025}}}}}", ".answer"),
    (f"mutate: {{media_type: {'x' * 1025}}}", ".mutate.media_type"),
    (f"match: {{path: /{'x' * 1024}}}", ".match"),
    (f"match: {{header: {{A: {'x' * 1025}}}}}", ".match"),
    (f"match: {{query: {{a: {'x' * 1025}}}}}", ".match"),
    (f"match: {{header: {many(65)}}}", ".match"),
    (f"match: {{query: {many(65)}}}", ".match"),
    (f"answer: {{status: 500, headers: {many(65)}}}", ".answer"),
    # huge and deep
    (f"mutate: {{drop: {'[' * 60}{']' * 60}}}", ".mutate.drop"),
    ("answer: {status: 99999999999999999999}", ".answer.status"),
]  # fmt: skip


def file_of(line: str) -> str:
    """Returns a scenario whose rule has this line, and an effect where it has none."""
    has_one = re.search("answer|mutate|deliver", line)
    return f"name: mine\nrules:\n  - name: a\n    {line}\n{'' if has_one else EFFECT}"


EFFECT = "    deliver: {close: true}\n"
STOP = "{name: a, deliver: {close: true}}"


def named(name: str) -> str:
    return f"rules:\n  -\n    name: {name}\n{EFFECT}"


# Whole files: the text, and the line and the path of what is wrong.
FILES: list[tuple[str, int, str]] = [
    ("rules: []\nruels: []\n", 2, "$.ruels"),
    ("name: a\nrules: {}\n", 2, "$.rules"),
    (f"rules:\n  - {STOP}\n  - 5\n", 3, "$.rules[1]"),
    ("rules:\n  - deliver: {close: true}\n", 2, "$.rules[0]"),
    (f"rules:\n  - {STOP}\n  - name: a\n{EFFECT}", 3, "$.rules[1].name"),
    ("rules:\n  - name: a\n", 2, "$.rules[0]"),
    ("rules:\n  - name: a\n    answer: {status: 500}\n    mutate: {bom: true}\n", 4, "$.rules[0].mutate"),
    ("rules:\n  - name: a\n    deliver:\n      cut: 0.5\n      hang: never\n", 5, "$.rules[0].deliver.hang"),
    *[(named(name), 3, "$.rules[0].name") for name in ("A", "''", "../a", "x" * 65, r'"a\r\nb"')],
    *[(f"name: {name}\nrules: []\n", 1, "$.name") for name in ("Mine", "/etc/passwd", "x" * 65, r'"mine\n"')],
    (f"name: a\nabout: {'x' * 1001}\n", 2, "$.about"),
    ('name: a\nabout: "a\\0b"\n', 2, "$.about"),
    ('name: a\nclient: "a\\rb"\n', 2, "$.client"),
    ("name: a\nquirks: {cpg.nope: x}\n", 2, '$.quirks["cpg.nope"]'),
    ("name: a\nquirks: {cpg.replay: maybe}\n", 2, '$.quirks["cpg.replay"]'),
    ("name: a\nquirks: {cpg.replay: []}\n", 2, '$.quirks["cpg.replay"]'),
    ("name: a\nlimits: {cpg.key: 5}\n", 2, '$.limits["cpg.key"]'),
    ("name: a\nabout: Nothing.\n", 1, "$"),
    ("name: a\nlimits: off\n", 2, "$.limits"),
    ("name: a\nlimits: {cpg.nope: 'off'}\n", 2, '$.limits["cpg.nope"]'),
    ("name: a\nlimits: {cpg.key: 1/0s}\n", 2, '$.limits["cpg.key"]'),
    ("name: a\nskew: 5d\n", 2, "$.skew"),
    ("name: a\nskew: 876001h\n", 2, "$.skew"),
    ("name: a\nskew: -876001h\n", 2, "$.skew"),
    (f"rules:\n  - name: a\n    answer: {{status: 500, body: {'é' * (ANSWER_BODY_MAX // 2)}x}}\n", 3, "$.rules[0].answer"),
    ("name: a\nrules:\n" + "".join(f"  - {{name: r{n}, deliver: {{close: true}}}}\n" for n in range(2001)), 2, "$.rules"),
]  # fmt: skip

# Texts that are no YAML, or no plain data.
BROKEN: list[tuple[str, int, str]] = [
    ("name: a\nabout: b\nname: b\n", 3, "$"),
    ("rules:\n  - name: a\n    match: {header: {A: b, A: c}}\n" + EFFECT, 3, "$"),
    ("rules: []\n1: a\n", 2, "$"),
    ("rules:\n  - name: a\n    mutate: {null: $.a, 'null': $.b}\n", 3, "$"),
    (f"rules: [&a {STOP}, *a]\n", 1, "$"),
    ("rules:\n\t- name: a\n", 2, "$"),
    ("rules: []\n---\nrules: []\n", 2, "$"),
    ("rules: []\nabout: a\0b\n", 1, "$"),
    (f"name: a\nrules: {'[' * 2_000}{']' * 2_000}\n", 2, "$"),
]  # fmt: skip

ROWS = [
    *[(file_of(line), 4 + line.count("\n"), f"$.rules[0]{at}") for line, at in LINES],
    *FILES,
]
IDS = [line for line, *_ in LINES] + [f[0] for f in FILES]


def ids(texts: list[str]) -> list[str]:
    """Names rows by what they say, as far as it can be shown."""
    return [re.sub(r"\s+", " ", text)[:70] for text in texts]


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize(
    ("text", "line", "at"), [*ROWS, *BROKEN], ids=ids(IDS + [row[0] for row in BROKEN])
)
def test_a_wrong_file_is_one_line_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, at: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(FileError) as wrong:
        scenarios.load(str(file))
    message = str(wrong.value)
    assert message.startswith(f"{file}:{line}: {at}: ")
    assert message.isprintable()
    with pytest.raises(FileError) as wrong:
        create_exchange(WORLD, scenario=str(file))
    assert str(wrong.value) == message
    assert run_here(capsys, "check", str(file)) == (2, "", f"mockserver: {message}\n")


NEAREST = [
    ("whenn: {times: 1}", "when"),
    ("when: {from_: 1s}", "from"),
    ("match: {provider: CDP}", "cdp"),
    ("mutate: {dorp: $.data}", "drop"),
    ("deliver: {reset: bodi}", "body"),
    ("answer: {reject: forbiden}", "forbidden"),
]


@pytest.mark.parametrize(("line", "nearest"), NEAREST)
def test_the_nearest_name_is_suggested(tmp_path: Path, line: str, nearest: str) -> None:
    with pytest.raises(FileError, match=rf"did you mean {nearest}\?"):
        scenarios.load(str(written(tmp_path, file_of(line))))


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
def api(server: MockServer) -> Iterator[ControlClient]:
    server.fail("stands", requests=3, deliver={"delay": "1ms"})
    server.play(PLAYING)
    by_hand(server.coinapi.base_url, wire(server.coinapi.auth.sign("GET", "/v1/balances")))
    api = ControlClient(server.url)
    with api.session:
        yield api


def applied(server: MockServer) -> list[Any]:
    """Returns all that a scenario changes, with what the rules have counted."""
    sandbox = server.app.sandboxes.default
    parts = ("faults", "quirks", "limits", "clock", "requests")
    answers = [server.default._call("GET", f"/{part}") for part in parts]  # noqa: SLF001
    active = [(name, vars(rule).copy()) for name, rule in sandbox.rulebook.rules.items()]
    return [*answers, sandbox.scenario, active, sandbox.clock, len(list(server.app.sandboxes))]


@pytest.mark.parametrize(("text", "line", "at"), ROWS, ids=ids(IDS))
def test_the_control_api_refuses_the_same_and_nothing_has_changed(
    server: MockServer, api: ControlClient, text: str, line: int, at: str
) -> None:
    data, before = strict_yaml.load(text), applied(server)
    assert before[0]["rules"][1]["matched"] == 1, "it plays"
    calls = [
        ("PUT", f"{D}/scenario", data, at),
        ("PUT", "/sandboxes/new", {"scenario": data}, "$.scenario" + at[1:]),
    ]
    rule = data["rules"][0] if at.startswith("$.rules[0]") else None
    if isinstance(rule, dict) and "name" in rule:
        calls.append(("POST", f"{D}/faults", rule, "$" + at.removeprefix("$.rules[0]")))
    refusals = [api.refused(*call[:3]) for call in calls]
    assert [(status, place) for status, _, place, _ in refusals] == [(400, c[3]) for c in calls]
    assert len({error for _, error, _, _ in refusals}) == 1
    assert refusals[0][3] == "see docs/reference/faults.md"
    assert applied(server) == before


def test_a_rule_too_deep_is_refused_over_http(server: MockServer, api: ControlClient) -> None:
    before = applied(server)
    for depth, words in ((500, "takes a path such as "), (100_000, "the body is not JSON:")):
        deep = b"[" * depth + b"]" * depth
        rule = b'{"name": "a", "mutate": {"drop": %b}}' % deep
        for method, path, body in (
            ("POST", "faults", rule),
            ("PUT", "scenario", b'{"rules": [%b]}' % rule),
        ):
            status, error, *_ = api.refused(method, f"{D}/{path}", body)
            assert (status, error[: len(words)]) == (400, words)
    assert applied(server) == before


# The other side of the edges

GOOD: list[str] = [
    "when: {requests: 1-1}",
    "when: {requests: 999999999}",
    "when: {requests: 2-4, every: 3}",
    "when: {probability: 1}",
    "when: {times: 1000000000}",
    "when: {from: 8784h}",
    "when: {from: 10s, until: 10001ms}",
    "when: {for: 1m, period: 1m}",
    "when: {from: 30s, for: 30s, period: 1m}",
    "answer: {status: 599}",
    "answer: {status: 204, body: ''}",
    "answer: {status: 500, headers: {A: ''}}",
    f"answer: {{status: 500, headers: {{{'x' * 100}: '~ !'}}}}",
    r'answer: {status: 500, body: "a\r\nb\0\e"}',
    f"answer: {{status: 500, body: {'x' * ANSWER_BODY_MAX}}}",
    f"answer: {{status: 500, headers: {many(64)}}}",
    f"mutate: {{media_type: {'x' * 1024}}}",
    f"match: {{path: /{'x' * 1023}, header: {many(64)}, query: {many(64)}}}",
    f"match: {{header: {{{'x' * 1024}: {'x' * 1024}}}}}",
    "match: {provider: cpg}\n    answer: {reject: replayed}",
    "match: {provider: '*', operation: submitWithdrawal}\n    answer: {reject: business_rule}",
    "match: {path: '*'}",
    "match: {path: '/v1/%C3%A9'}",
    "match: {path: /v1/balances, header: {A: é}, query: {ä: ''}}",
    "mutate: {duplicate_row: 1000000}",
    "mutate: {digits: 60}",
    f"mutate: {{drop: '$.{'a' * 510}'}}",
    "mutate: {drop: '$[\"a b\"].*[*]'}",
    "deliver: {cut: 0.9999999}",
    "deliver: {hang: 3600}",
    "deliver: {delay: 0s, clock: sandbox}",
    "deliver: {delay: {uniform: [1s, 1s]}, clock: real}",
    "deliver: {bandwidth: 1073741824}",
    "deliver: {garbage: 1048576}",
    "deliver: {wrong_length: '+1000000'}",
]
GOOD_FILES = [
    named("x" * 64),
    f"name: {'x' * 64}\nskew: 5\n",
    f"about: {'x' * 1000}\nquirks: {{cpg.timestamp_window: 1.5, cpg.replay: false}}\n",
    "client: >-\n  one\n  two\nlimits: {cpg.key: 5/1m30s}\n",
    "skew: 876000h\n",
    "name: a\nrules:\n" + "".join(f"  - {{name: r{n}, deliver: {{close: true}}}}\n" for n in range(2000)),
]  # fmt: skip


@pytest.mark.parametrize("text", [*map(file_of, GOOD), *GOOD_FILES], ids=ids(GOOD + GOOD_FILES))
def test_values_at_their_bounds_are_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file = written(tmp_path, text)
    scenario = scenarios.load(str(file))
    good = f"{file}: scenario {scenario.name} is good, {len(scenario.rules)} rules\n"
    assert run_here(capsys, "check", str(file)) == (0, good, "")
    assert scenarios.from_data(strict_yaml.load(text)).rules == scenario.rules


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


@pytest.mark.parametrize("name", ["nope", "../scenarios/stale-cache", "stale-cache\n", ""])
def test_an_unknown_scenario_is_an_error_with_the_names(name: str) -> None:
    with pytest.raises(
        FileError, match="no such scenario: neither a file nor one of bad-connection, "
    ):
        scenarios.load(name)


# Control characters

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
def test_no_rule_takes_a_control_character(
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


def test_a_body_with_control_characters_stays_in_the_body(
    server: MockServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = "HTTP/1.1 200 OK\r\nX-Evil: 1\r\n\r\n\0\x1b[31m"
    server.cpg.fail("a", status=500, headers={"X-Sent": "a: b, c"}, body=body)
    answer = exchange(server.cpg.base_url, wire(server.cpg.auth.sign("GET", "/v1/balances")))
    head, _, sent = answer.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    assert sorted(names) == [b"content-length", b"date", b"x-sent"]
    assert sent == body.encode()
    messages = [r.getMessage() for r in caplog.records if r.name == "mockserver"]
    assert messages == ["cpg GET /v1/balances -> 500 [a]"]


# One line, whatever the file contains

LOUD: list[tuple[str, int]] = [
    (file_of(r'"whe\nn": {times: 1}'), 4),
    (file_of(r'match: {provider: "a\nb"}'), 4),
    (file_of(r'mutate: {"dr\nop": $.a}'), 4),
    ('rules: []\n"a\\nb": 1\n"a\\nb": 2\n', 3),
    ('rules: []\nquirks: {"cpg.a\\nb": c}\n', 2),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), LOUD, ids=ids([row[0] for row in LOUD]))
def test_an_error_is_one_line_whatever_the_file_contains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: int
) -> None:
    file = written(tmp_path, text)
    message = run_here(capsys, "check", str(file)).stderr.removesuffix("\n")
    assert message.startswith(f"mockserver: {file}:{line}: $")
    assert message.isprintable()


# Tags that say of what type a text is: of one that it is not, or that no file may name.
TAGGED = [
    *[f"!!{kind} x" for kind in ("int", "float", "bool", "timestamp")],
    "!!python/name:os.system x",
    "!!python/object/apply:os.system [x]",
    "!mine x",
]


@pytest.mark.parametrize("tagged", TAGGED)
def test_a_tag_that_changes_the_type_of_a_text_is_refused(tmp_path: Path, tagged: str) -> None:
    file = written(tmp_path, f"rules: []\nskew: {tagged}\n")
    with pytest.raises(FileError, match=re.escape(f"{file}:2: ")):
        scenarios.load(str(file))


def test_a_file_of_brackets_alone_ends_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "rules: " + "[" * 100_000 + "]" * 100_000 + "\n")
    words = [sys.executable, "-m", "mockserver", "check", str(file)]
    done = subprocess.run(words, cwd=tmp_path, env=CLEAN, capture_output=True, text=True, timeout=SOON, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (2, f"mockserver: {file}:1: $: nested too deeply\n")
