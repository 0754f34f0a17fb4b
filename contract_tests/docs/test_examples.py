"""The documentation is tested: every example of every page runs as it stands."""

import contextlib
import fnmatch
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract_tests.clients.senders import DEADLINE, tool
from contract_tests.support import pages
from contract_tests.support.pages import PAGES, Block
from contract_tests.support.processes import CLEAN
from mockserver import MockServer, create_app
from mockserver.cli import config
from mockserver.files import scenarios, strict_yaml, worlds
from mockserver.providers import discover

RUN = {"python", "sh", "console", "js", "yaml", "toml"}
SHOWN = {"", "json", "text", "java", "go", "http", "csharp"}
TEST = re.compile(r"^(async )?def test_", re.MULTILINE)
# The plugin without all others that are installed here: pytest starts three times as fast.
ALONE = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_ADDOPTS": "-p mockserver.client.pytest_plugin -p no:cacheprovider",
}
FILE = re.compile(r"# (\w+\.\w+)\n")


class Folder:
    """Where the examples of one page run, beside one server."""

    def __init__(self, path: Path, server: MockServer) -> None:
        self.path = path
        self.server = server
        programs = path / "bin"
        programs.mkdir()
        for command, option in (
            ("mockserver", "-m mockserver"),
            ("pytest", "-m pytest"),
            ("python", ""),
        ):
            script = f'#!/bin/sh\nexec "{sys.executable}" {option} "$@"\n'
            (programs / command).write_text(script)
            (programs / command).chmod(0o755)
        search_path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        self.env = (
            CLEAN | {"PATH": search_path, "MOCKSERVER_URL": server.url, "COLUMNS": "100"} | ALONE
        )

    def run(self, command: list[str], code: str) -> subprocess.CompletedProcess[str]:
        arguments = [*command, pages.placed(code, self.server)]
        with subprocess.Popen(
            arguments,
            cwd=self.path,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output = process.communicate(timeout=DEADLINE)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(arguments, process.returncode, *output)

    def python(self, block: Block, answer: Block | None) -> None:
        if named := FILE.match(block.code):
            (self.path / named[1]).write_text(block.code)
            return
        if TEST.search(block.code):
            return  # by test_the_tests_pass
        names = {"__name__": "__main__", "server": self.server, "sandbox": self.server.sandbox()}
        code = pages.placed(block.code, self.server)
        with warnings.catch_warnings(), contextlib.chdir(self.path):
            warnings.simplefilter("error")
            exec(compile("\n" * block.line + code, "example", "exec"), names)

    def sh(self, block: Block, answer: Block | None) -> None:
        done = self.run(["sh", "-ec"], block.code)
        assert done.returncode == 0, done.stdout + done.stderr
        if answer and answer.adjoins and answer.language in ("json", "text"):
            same(done.stdout, answer.code)

    def console(self, block: Block, answer: Block | None) -> None:
        for lines in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
            document = re.match(r".*<<'END'\n.*?^END\n", lines, re.MULTILINE | re.DOTALL)
            command = document[0] if document else lines.partition("\n")[0]
            done = self.run(["sh", "-c"], command)
            same(done.stdout + done.stderr, lines[len(command) :].lstrip("\n"))

    def js(self, block: Block, answer: Block | None) -> None:
        file = self.path / "example.mjs"
        file.write_text(pages.placed(block.code, self.server))
        done = self.run([tool("node"), str(file)], "")
        assert done.returncode == 0, done.stdout + done.stderr

    def yaml(self, block: Block, answer: Block | None) -> None:
        if re.search(r"^(rules|tls_fault):", block.code, re.MULTILINE):
            scenarios.from_data(strict_yaml.load(block.code))
        elif re.search(r"^name:", block.code, re.MULTILINE):
            assert worlds.read(block.code, "shown").parts
        else:
            strict_yaml.load(block.code)

    def toml(self, block: Block, answer: Block | None) -> None:
        file = self.path / "mockserver.toml"
        file.write_text(block.code)
        options = config.read(file)
        app = create_app(quirks=options.get("quirks"), limits=options.get("limits"))
        assert app.state.exchange.providers


def same(output: str, shown: str) -> None:
    """Compares output with what a page shows, where ``...`` stands for anything."""
    pattern = re.sub(r"([\[?])", r"[\1]", shown.strip()).replace("...", "*")
    assert fnmatch.fnmatchcase(output.strip(), pattern), f"{output}\nis not\n{shown}"


@pytest.fixture
def folder(tmp_path: Path, server: MockServer) -> Iterator[Folder]:
    yield Folder(tmp_path, server)
    for name in discover():
        server.provider(name).refuse(0)


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(b.language in RUN for b in pages.blocks(p))], ids=pages.name
)
def test_every_example_of_a_page_runs(page: Path, folder: Folder) -> None:
    examples = list(pages.blocks(page))
    for block, following in zip(examples, [*examples[1:], None], strict=True):
        if block.language in RUN and not block.reason:
            getattr(folder, block.language)(block, following)


def test_every_block_names_a_language_that_is_run_or_only_shown() -> None:
    for page in PAGES:
        for block in pages.blocks(page):
            assert block.language in RUN | SHOWN, f"{pages.name(page)}:{block.line}"


def test_every_pytest_example_passes(tmp_path: Path) -> None:
    for page in PAGES:
        for block in pages.blocks(page, "python"):
            if TEST.search(block.code) and not block.reason and not FILE.match(block.code):
                file = re.sub(r"\W", "_", f"{pages.name(page)}_{block.line}")
                (tmp_path / f"test_{file}.py").write_text(block.code)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error"],
        check=False,
        cwd=tmp_path,
        env=CLEAN | ALONE,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout


def test_pages_are_short() -> None:
    lengths = {pages.name(page): page.read_text("utf-8").count("\n") for page in PAGES}
    assert lengths.pop("README.md") <= 160
    assert {page: n for page, n in lengths.items() if n > 120 and "reference/" not in page} == {}
