"""What type checkers know of the providers and the rules is what there is."""

import ast
from typing import Any, get_args

import pytest

from contract_tests.support import typed_names
from mockserver.client import handles, keywords, names
from mockserver.client.settings import SandboxSettings
from mockserver.control.matching import JournalMatch
from mockserver.control.sandboxes import SandboxSpec
from mockserver.faults import kinds
from mockserver.faults.pages import ERROR_PAGES
from mockserver.faults.parsing import KEYWORDS, AnswerSpec, FiringSpec
from mockserver.faults.rules import RuleMatch
from mockserver.faults.shorthand import expanded
from mockserver.providers import discover

AGAIN = "run: python contract_tests/support/typed_names.py"


@pytest.mark.parametrize("file", ["names.py", "handles.py"])
def test_the_generated_types_are_those_of_the_providers(file: str) -> None:
    written = ast.parse((typed_names.CLIENT / file).read_text(encoding="utf-8"))
    generated = ast.parse(typed_names.files()[file])
    imports = (ast.Import, ast.ImportFrom)  # the formatter drops those that nothing uses
    without = [
        [n for n in tree.body if not isinstance(n, imports)] for tree in (written, generated)
    ]
    written_code, expected = (ast.dump(ast.Module(body, [])) for body in without)
    assert written_code == expected, AGAIN


def members(*kinds: Any) -> set[str]:
    return {name for kind in kinds for name in kind.__annotations__}


def test_the_keywords_of_fail_and_verify_are_those_of_the_rules() -> None:
    back = {name: keyword for keyword, name in KEYWORDS.items()}
    when = {back.get(name, name) for name in FiringSpec.__struct_fields__}
    sections = {
        keywords.Match: {*RuleMatch.__struct_fields__},
        keywords.When: when,
        keywords.Answer: {*AnswerSpec.__struct_fields__},
        keywords.Mutate: {*kinds.kinds(kinds.MUTATIONS)},
        keywords.Deliver: {*kinds.kinds(kinds.DELIVERIES), "clock"},
        keywords.Verify: {*JournalMatch.__struct_fields__},
    }
    for kind, expected in sections.items():
        assert members(kind) == expected, kind
    assert set(get_args(keywords.Page)) == {*ERROR_PAGES}


def test_every_fault_that_a_name_alone_means_is_in_the_types() -> None:
    def alone(group: str) -> set[str]:
        def works(name: str) -> bool:
            try:
                kinds.find(group, name).parse(expanded(name)[name])
            except ValueError:
                return False
            return True

        return {name for name in kinds.kinds(group) if works(name)}

    assert set(get_args(keywords.Mutation)) == alone(kinds.MUTATIONS)
    assert set(get_args(keywords.Delivery)) == alone(kinds.DELIVERIES)


def test_a_sandbox_takes_the_settings_of_the_control_api() -> None:
    assert members(SandboxSettings) >= {*SandboxSpec.__struct_fields__}


def test_every_provider_has_a_handle_of_its_own() -> None:
    assert set(get_args(names.ProviderName)) == set(handles.HANDLES) == set(discover())
