"""Which checks count, which failures are expected, and the score."""

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from msgspec import Struct

from mockserver.certify.checks import CHECKS, for_provider
from mockserver.certify.model import (
    EXPECTED_FAILURE,
    FAIL,
    MUST,
    PASS,
    REACHED,
    Check,
    Result,
)
from mockserver.errors import FileError, UnusableClient
from mockserver.files import strict_yaml
from mockserver.model import suggestions

REASON_MAX = 500
LIST = "mockserver certify --provider NAME --list shows them"
DATE = re.compile(r"[0-9]{4}-[0-9]{2}")


class Fraction(Struct, frozen=True):
    """A count of a count."""

    passed: int
    of: int

    @property
    def text(self) -> str:
        """The fraction as ``40/42``."""
        return f"{self.passed}/{self.of}"


class Requirements(Struct, frozen=True):
    """A frozen set: the level of each check that scores, by its id; newer ones are shown only."""

    date: str
    levels: Mapping[str, str]


def dates() -> list[str]:
    """Returns the dates of the frozen sets, oldest first."""
    names = [item.name for item in files("mockserver.certify").joinpath("requirements").iterdir()]
    return sorted(name.removesuffix(".txt") for name in names if name.endswith(".txt"))


def requirements(date: str = "") -> Requirements:
    """Returns the set of a date, the newest by default; raises UnusableClient."""
    known = dates()
    date = date or known[-1]
    if date not in known:
        raise UnusableClient(f"no requirements {date}: there are {', '.join(known)}")
    resource = files("mockserver.certify").joinpath("requirements", f"{date}.txt")
    lines = resource.read_text("utf-8").splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return Requirements(date, {id: level for level, id in pairs})


def expected_failures(file: str) -> dict[str, str]:
    """Reads a YAML file of reasons by check id; raises FileError."""
    try:
        data = strict_yaml.load(Path(file).read_text("utf-8"))
    except OSError as error:
        raise FileError(file, error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise FileError(file, "is not UTF-8") from None
    except ValueError as error:
        raise FileError(file, str(error)) from None
    if not isinstance(data, dict):
        raise FileError(file, "expected lines such as no-holdings: issue 12")
    for id, reason in data.items():
        if not isinstance(reason, str) or not reason.strip():
            raise FileError(file, f"expected a reason as text for {id}", path=(str(id),))
        known_id(str(id))
    return {str(id): reason[:REASON_MAX] for id, reason in data.items()}


def known_id(id: str) -> str:
    """Returns the id of a check; raises UnusableClient with the nearest one."""
    ids = [check.id for check in CHECKS]
    if id not in ids:
        near = suggestions.nearest(id, ids)
        hint = f"did you mean {near}?" if near else LIST
        raise UnusableClient(f"no check {id}: {hint}")
    return id


def selected(provider: str, only: Iterable[str]) -> list[Check]:
    """Returns the checks of a provider, or those named; raises UnusableClient."""
    checks = for_provider(provider)
    if not checks:
        known = ", ".join(sorted({name for check in CHECKS for name in check.providers}))
        raise UnusableClient(f"there is no check for clients of {provider}: there are for {known}")
    wanted = [known_id(id) for id in only]
    foreign = [id for id in wanted if id not in {check.id for check in checks}]
    if foreign:
        raise UnusableClient(f"{foreign[0]} is no check of {provider}: see --list")
    return [check for check in checks if not wanted or check.id in wanted]


def score(results: Iterable[Result]) -> Fraction:
    """Returns how many of the reached checks of the set passed."""
    counted = [r for r in results if r.scores and r.verdict in REACHED]
    return Fraction(sum(r.verdict == PASS for r in counted), len(counted))


def reached(results: Iterable[Result]) -> Fraction:
    """Returns how many of the checks of the set were carried out."""
    counted = [r for r in results if r.scores]
    return Fraction(sum(r.verdict in REACHED for r in counted), len(counted))


def stale(results: Iterable[Result], expected: Mapping[str, str]) -> list[str]:
    """Returns the ids that are listed as failures and pass."""
    return [r.check.id for r in results if r.verdict == PASS and r.check.id in expected]


def exit_status(results: list[Result], expected: Mapping[str, str]) -> int:
    """Returns 0 if every ``must`` of the set passes or is an expected failure, else 1.

    Only a verdict counts as one: a ``must`` that was not judged for a fault of the suite or of
    the machine is none, and where no check was carried out nothing has passed.
    """
    if not any(r.verdict in REACHED for r in results):
        return 1
    unclear = {"harness_error", "too_slow_to_tell"}
    musts = [r for r in results if r.scores and r.check.level == MUST]
    failed = [r for r in musts if r.verdict == FAIL or r.verdict in unclear]
    return int(bool(failed or stale(results, expected)))


def passed(results: Iterable[Result]) -> bool:
    """Returns whether a check was carried out and no scoring one failed, listed or not."""
    verdicts = [(r.verdict, r.scores) for r in results]
    carried_out = any(verdict in REACHED for verdict, _ in verdicts)
    return carried_out and not any(
        scores and verdict in (FAIL, EXPECTED_FAILURE) for verdict, scores in verdicts
    )
