"""The ranges in pyproject.toml say what ``make compat`` runs; both sets are pinned by hash."""

import re
import tomllib
from pathlib import Path

import pytest

from contract_tests.compat.__main__ import HERE, ROOT, TESTS, UNDER_TEST

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SETS = ("oldest", "newest")


def pins(file: Path) -> dict[str, str]:
    rows = re.findall(r"^([a-z0-9-]+)==([^ \n;]+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(rows)


def test_the_lower_bounds_are_the_oldest_versions_that_are_run() -> None:
    bounds = [row for row in PROJECT["dependencies"] if row.startswith(UNDER_TEST)]
    oldest = pins(HERE / "oldest.in")
    assert sorted(oldest) == sorted(UNDER_TEST)
    assert sorted(bounds) == sorted(f"{name}>={version}" for name, version in oldest.items())


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_the_versions_that_it_names_and_a_hash_for_each(name: str) -> None:
    chosen, locked = pins(HERE / f"{name}.in"), pins(HERE / f"{name}.txt")
    assert chosen.items() <= locked.items()
    text = (HERE / f"{name}.txt").read_text(encoding="utf-8")
    assert text.count(" \\\n    --hash=sha256:") >= len(locked)
    assert "://" not in text


def test_the_newest_set_is_no_older_than_what_is_installed_by_default() -> None:
    newest, default = pins(HERE / "newest.in"), pins(ROOT / "requirements.lock")
    for name in UNDER_TEST:
        assert number(newest[name]) >= number(default[name])


def number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_the_tests_that_are_run_exist() -> None:
    assert all((ROOT / test).is_file() for test in TESTS)
