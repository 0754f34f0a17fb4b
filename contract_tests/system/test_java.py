"""Java: a client with a fixed host, and the recipe for Testcontainers."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from contract_tests.support.tools import find_tool
from mockserver import MockServer

HERE = Path(__file__).with_name("java")
GUIDE = Path(__file__).parents[2] / "docs/guides/containers.md"
SOON = 300  # seconds


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_javas_client_with_a_fixed_host_needs_variables_alone(tmp_path: Path) -> None:
    with MockServer(proxy_port=0) as server:
        said = run(find_tool("java"), HERE / "Fixed.java", cwd=tmp_path, **server.trust.variables)
        assert said == "[]\n"
        assert [entry.status for entry in server.journal] == [200]


def test_the_recipe_for_testcontainers_in_java_runs(tmp_path: Path) -> None:
    program = re.search(r"```java\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)[1]
    shutil.copytree(HERE / "org", tmp_path / "org")
    (tmp_path / "Recipe.java").write_text(program)
    run(find_tool("javac"), "Recipe.java", cwd=tmp_path)
    with MockServer(admin_token="t") as server:
        port = str(urlsplit(server.url).port)
        said = run(find_tool("java"), "-cp", ".", "Recipe", cwd=tmp_path, PORT_8490=port)
    assert "KRAKEN" in said
