"""The card as JUnit XML, for the test reports of CI systems."""

import re
from typing import Any

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from mockserver.certify.card import Card, CheckReport

NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ELEMENTS = {
    "fail": Failure,
    "harness_error": Error,
    "too_slow_to_tell": Error,
    "expected_failure": Skipped,
    "not_applicable": Skipped,
    "skipped": Skipped,
}


def junit(card: Card) -> bytes:
    """Returns the XML; a warning is a success with a text, a skip is never one."""
    suite = TestSuite(f"mockserver certify {card.client.provider}")
    suite.add_property("client", _text(card.client.name))
    suite.add_property("digest", card.client.digest)
    suite.add_property("requirements", card.requirements)
    suite.add_property("score", card.score.text)
    suite.timestamp = card.date
    for check in card.checks:
        suite.add_testcase(_case(check, card.client.provider))
    xml: Any = JUnitXml("mockserver certify")  # its types are not complete
    xml.add_testsuite(suite)
    xml.update_statistics()
    text: bytes = xml.tostring()
    return text


def _case(check: CheckReport, provider: str) -> TestCase:
    case = TestCase(check.id, f"certify.{provider}.{check.level}", check.seconds)
    element = ELEMENTS.get(check.verdict)
    if element is not None:
        message = f"{check.verdict}: {check.evidence}"
        result = element(_text(message), check.verdict)
        result.text = _text(f"{check.about}\n{check.fix}\n{check.command}\n{check.client}")
        case.result = [result]
    elif check.evidence:
        case.system_out = _text(f"{check.verdict}: {check.evidence}")
    return case


def _text(text: str) -> str:
    """Returns a text without the characters that XML does not have."""
    return NOT_XML.sub("?", text)
