"""Wrong input in Python: one line that says what is wrong and what was meant, no frame of ours."""

import re
from pathlib import Path
from typing import Any

import pytest

from mockserver import MockServer

pytest_plugins = ["contract_tests.support.inner_session"]

# What a test calls, and the end of the line that it gets.
MISTAKES: list[tuple[str, str]] = [
    ("sandbox.cpgg", "did you mean cpg?"),
    ("sandbox.jornal", "did you mean journal?"),
    ("sandbox.provider('coinwx')", "did you mean coinw?"),
    ("sandbox.cpg.credentials.key_idd", "did you mean key_id?"),
    ("sandbox.cpg.credentials['secrt']", "did you mean secret?"),
    ("sandbox.cpg.credential('mian')", "did you mean main?"),
    ("sandbox.cpg.balances('mian')", "did you mean main? (at $)"),
    ("sandbox.cpg.credit('main', 'USTD', '1', 'ETH')", "did you mean USDT ETH? (at $)"),
    ("sandbox.cpg.set_balance('main', 'USDT', 'ETH', totl='1')", "did you mean total? (at $.totl)"),
    ("sandbox.cpg.event('withdrawl_confirmed', id=1)", "did you mean withdrawal_confirmed?"),
    ("sandbox.cpg.event('withdrawal_confirmed', idd=1)", "did you mean id? (at $.idd)"),
    ("sandbox.cpg.event('key_revoked', key='mian')", "did you mean main? (at $)"),
    ("sandbox.cpg.fail(rejct='rate_limited')", "did you mean reject?"),
    ("sandbox.cpg.fail(reject='rate_limite')", "did you mean rate_limited? (at $.answer)"),
    ("sandbox.cpg.fail(operation='balance', status=500)", "did you mean balances? (at $.match)"),
    ("sandbox.cpg.fail(credential='mian', status=500)", "did you mean main?"),
    ("sandbox.cpg.fail(answer={'reject': 'replayd'})", "did you mean replayed? (at $.answer)"),
    ("sandbox.cpg.fail(deliver={'rest': True})", "did you mean reset?"),
    ("sandbox.cpg.fail(deliver={'reset': 'befor'})", "did you mean before? (at $.deliver.reset)"),
    ("sandbox.fail(provider='cpgg', status=500)", "did you mean cpg? (at $.match)"),
    ("sandbox.clear_faults('nope')", "no rule nope (at name): there are none"),
    ("sandbox.verify(operaton='balances')", "did you mean operation? (at $.match.operaton)"),
    ("sandbox.verify(operation='balance')", "did you mean balances?"),
    ("sandbox.verify(reason='rate_limit')", "did you mean rate_limited?"),
    ("sandbox.set_quirks({'cpg.reply': 'off'})", "did you mean cpg.replay?"),
    ("sandbox.set_quirks({'cpg.replay': 'of'})", "'of' is none of on, off (at $[\"cpg.replay\"])"),
    ("sandbox.set_limits({'cpg.keys': '5/60s'})", "did you mean cpg.key?"),
    ("sandbox.set_limits({'cpg.key': 5})", "write N/DURATION, as in 5/60s, or off; not 5"),
    ("sandbox.clock.advance('61 secs')", "write 250ms, 61s, 1m30s or 1h (at $.advance)"),
    ("sandbox.clock.skew_to('today')", "write 2026-01-01T00:00:00Z (at $.auth_time)"),
    ("sandbox.play('rate-limit-strom')", "did you mean rate-limit-storm?"),
    ("mockserver.sandbox(world='whal')", "did you mean whale?"),
    ("mockserver.sandbox(sed=7)", "did you mean seed? (at $.sed)"),
    ("mockserver.sandbox(ttl='1 day')", "write 250ms, 61s, 1m30s or 1h (at $.ttl)"),
    ("mockserver.sandbox(quirks={'cpg.reply': 'off'})", "did you mean cpg.replay?"),
    ("mockserver.sandbox(auth_clock='proces')", "did you mean process?"),
]

PROJECT = """
import pytest

@pytest.mark.parametrize("n", range({count}))
def test_it(sandbox, mockserver, n):
    eval({calls}[n])
"""


@pytest.mark.parametrize("where", ["in process", "remote"])
def test_every_mistake_is_one_line_without_a_frame_of_ours(
    run_in_process: Any, pytester: pytest.Pytester, where: str
) -> None:
    calls = [call for call, _ in MISTAKES]
    pytester.makepyfile(test_project=PROJECT.format(count=len(calls), calls=calls))
    options = ["-p", "no:cacheprovider", "--tb=long"]
    with MockServer() as server:
        if where == "remote":
            options.append(f"--mockserver-url={server.url}")
        result = run_in_process(*options)
    result.assert_outcomes(failed=len(calls))
    report = result.stdout.str()
    reports = re.split(r"^_+ test_it\[\d+\] _+$", report, flags=re.MULTILINE)[1:]
    for (call, end), text in zip(MISTAKES, reports, strict=True):
        messages = re.findall(r"^E   +(.*)$", text, re.MULTILINE)
        assert len(messages) == 1, call
        assert end in messages[0].rstrip("'\""), call
    frames = set(re.findall(r"^(\S+\.py):\d+: ", report, re.MULTILINE))
    assert {Path(frame).name for frame in frames} <= {"test_project.py"}
