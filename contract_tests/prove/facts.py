"""Proves that the proofs can fail: plants each defect on its own, and runs the proof alone.

``python -m contract_tests.prove.facts [FACT or PROVIDER ...] [--root FOLDER]`` prints fact, proof,
defect and whether it was caught, and ends with 1 unless every one was. A defect is a piece of
code in a function of the server and what to put in its place (``defects/PROVIDER.yaml``, see
``anchor``); it is planted in a copy, never in the tree.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

from msgspec import Struct

from contract_tests.prove import anchor
from contract_tests.support import evidence
from contract_tests.support.evidence import having
from mockserver.files import strict_yaml
from mockserver.files.documents import Fact, facts
from mockserver.model.typed_data import convert

TREE = Path(__file__).resolve().parents[2]
DEFECTS = TREE / "contract_tests" / "defects"
SECONDS = 120  # for one proof
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "dist", "build", "*.egg-info")


class Defect(Struct, frozen=True, forbid_unknown_fields=True):
    """A small patch of the server that breaks one fact: ``find`` stands once in ``file``.

    In Python it is a piece of code that stands once ``within`` a function, a class or a name of
    the module, as ``anchor`` compares it; in any other file it is a text that stands there once.
    """

    fact: str
    about: str
    file: str
    find: str
    put: str
    within: str = ""

    def planted(self, text: str) -> str:
        """Returns a file's text with the defect in it; raises ValueError."""
        try:
            return self._planted(text)
        except ValueError as error:
            raise ValueError(f"{self.fact}: {self.file}: {error}") from None

    def _planted(self, text: str) -> str:
        if self.put == self.find:
            raise ValueError(f"{self.put!r} changes nothing")
        if self.file.endswith(".py"):
            return anchor.splice(text, self.within, self.find, self.put)
        if self.within or text.count(self.find) != 1:
            raise ValueError(f"{self.find!r} is {text.count(self.find)} times there, not once")
        return text.replace(self.find, self.put)


class Proof(Struct, frozen=True):
    """A fact with the defect that its proof must catch."""

    fact: Fact
    defect: Defect


def defects(provider: str) -> list[Defect]:
    """Returns the defects planted at a provider."""
    text = (DEFECTS / f"{provider}.yaml").read_text(encoding="utf-8")
    found: list[Defect] = convert(strict_yaml.load(text), list[Defect])
    return found


def proofs() -> Iterator[Proof]:
    """Yields every defect with its fact; raises KeyError for one of an unknown fact."""
    for provider in having(evidence.DEFECTS):
        known = {fact.id: fact for fact in facts(provider)}
        for defect in defects(provider):
            yield Proof(known[defect.fact], defect)


class Copy:
    """A copy of the tree, in which one defect at a time is planted."""

    def __init__(self, root: Path, number: int) -> None:
        self._root = root / str(number)
        self._edits = 0
        shutil.copytree(TREE, self._root, ignore=LEFT_OUT)

    def verdict(self, proof: Proof) -> str:
        """Returns ``caught``, ``MISSED``, or how the proof broke."""
        with self._planted(proof.defect):
            return self.run([proof.fact.proof])

    def run(self, tests: Iterable[str]) -> str:
        """Runs tests in the copy; a proof must fail, and not break before it began."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        environment = os.environ | {"PYTHONPATH": str(self._root), "COLUMNS": "100"}
        try:
            ended = subprocess.run(
                command,
                cwd=self._root / "contract_tests",
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "BROKEN: out of time"
        if ended.returncode == 0:
            return "MISSED"
        if ended.returncode == 1 and "ERROR at setup" not in ended.stdout:
            return "caught"
        lines = [li for li in ended.stdout.splitlines() if re.match("E  |ERROR", li)]
        return f"BROKEN: {lines[0] if lines else ended.stderr[-200:]}"

    @contextmanager
    def _planted(self, defect: Defect) -> Iterator[None]:
        file = self._root / defect.file
        good = file.read_text(encoding="utf-8")
        self._write(file, defect.planted(good))
        try:
            yield
        finally:
            self._write(file, good)

    def _write(self, file: Path, text: str) -> None:
        """Writes a file so that no compiled one is taken for it: each time another second."""
        file.write_text(text, encoding="utf-8")
        self._edits += 1
        os.utime(file, (self._edits, self._edits))


def prove(wanted: list[Proof], workers: int) -> Iterator[tuple[Proof, str]]:
    """Yields each proof with its verdict; raises ValueError when one fails without a defect."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="prove-")))
        copies: SimpleQueue[Copy] = SimpleQueue()
        first = Copy(root, 0)
        if first.run(sorted({proof.fact.proof for proof in wanted})) != "MISSED":
            raise ValueError("a proof fails, or is not there, without any defect: run the suite")
        copies.put(first)
        for number in range(1, workers):
            copies.put(Copy(root, number))

        def one(proof: Proof) -> str:
            copy = copies.get()
            try:
                return copy.verdict(proof)
            finally:
                copies.put(copy)

        pool = stack.enter_context(ThreadPoolExecutor(workers))
        yield from zip(wanted, pool.map(one, wanted), strict=True)


def main() -> int:
    """Proves what is asked for, or everything."""
    parser = argparse.ArgumentParser(description="Plant each defect, and run its proof alone.")
    parser.add_argument("wanted", nargs="*", help="facts or providers; else all")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    names = set(asked.wanted)
    wanted = [p for p in proofs() if not names or names & {p.fact.id, p.fact.id.partition("-")[0]}]
    if not wanted:
        parser.error(f"no defect is planted for {' '.join(asked.wanted)}")
    caught = 0
    for proof, verdict in prove(wanted, asked.workers):
        caught += verdict == "caught"
        print(
            f"{verdict}  {proof.fact.id}  {proof.fact.proof}\n    {proof.defect.about}", flush=True
        )
    print(f"{len(wanted)} planted, {caught} caught")
    return caught != len(wanted)


if __name__ == "__main__":
    sys.exit(main())
