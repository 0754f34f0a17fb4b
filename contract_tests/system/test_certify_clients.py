"""Clients in other languages are certified, and the card is looked at in a browser."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from contract_tests.support.processes import CLEAN
from contract_tests.support.tools import find_tool

CLIENTS = Path(__file__).with_name("clients")
ACTION = Path(__file__).parents[2] / "deploy" / "certify-action" / "certify.sh"
WITHIN = 240  # seconds
# Clicks each filter, and writes into the title how many rows and details it leaves.
LOOK = """<script>
const visible = (css) => [...document.querySelectorAll(css)].filter((e) => e.offsetHeight).length;
const seen = {};
for (const label of document.querySelectorAll(".filters label")) {
  label.click();
  seen[label.htmlFor] = [visible("tbody tr"), visible("article")];
}
document.title = JSON.stringify(seen);
</script>"""


def certify(folder: Path, *words: str) -> dict[str, object]:
    """Certifies a client; returns its card."""
    file = folder / "card.json"
    command = [sys.executable, "-m", "mockserver", "certify", "--json", str(file)]
    done = subprocess.run(
        [*command, "--html", str(folder / "card.html"), *words],
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert file.exists(), done.stderr
    return json.loads(file.read_text()) | {"status": done.returncode, "text": done.stdout}


@pytest.mark.parametrize(
    ("program", "tools"),
    [(("node", "cpg.mjs"), ("node",)), (("sh", "cpg.sh"), ("curl", "openssl", "jq", "iconv"))],
)
def test_a_client_in_another_language_passes(
    tmp_path: Path, program: tuple[str, str], tools: tuple[str, ...]
) -> None:
    for tool in tools:
        find_tool(tool)
    client = (program[0], str(CLIENTS / program[1]))
    card = certify(tmp_path, "--provider", "cpg", "--", *client)
    unclear = {"pass", "too_slow_to_tell"}
    verdicts = {check["id"]: check["verdict"] for check in card["checks"]}
    assert set(verdicts.values()) <= unclear, card["text"]


FLAWED = """
import json, os, sys, urllib.request
request = urllib.request.Request(os.environ["MOCKSERVER_BASE_URL"] + "/v1/balances")
request.add_header("X-CoinAPI-Key", os.environ["MOCKSERVER_API_KEY"])
sys.stderr.write("<script>document.title = 'owned'</script>")
with urllib.request.urlopen(request, timeout=2) as response:
    items = json.load(response)
print(json.dumps([
    {"asset": row["asset_id_exchange"], "total": str(row["balance"]), "exchange": item["exchange_id"]}
    for item in items for row in item["data"]
]))
"""


def test_the_card_in_a_browser_has_a_filter_and_no_console_error(tmp_path: Path) -> None:
    browser = find_tool("chromium", "chromium-browser")
    (tmp_path / "client.py").write_text(FLAWED)
    command = (sys.executable, str(tmp_path / "client.py"))
    card = certify(tmp_path, "--provider", "coinapi", "--", *command)
    assert card["status"] == 1
    page = (tmp_path / "card.html").read_text()
    assert "<script" not in page
    looked = re.sub(r"<meta http-equiv[^>]*>", "", page).replace("</body>", f"{LOOK}</body>")
    (tmp_path / "looked.html").write_text(looked)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]

    def dump(name: str) -> tuple[str, str]:
        done = subprocess.run(
            [
                browser,
                *options,
                f"--user-data-dir={tmp_path}/profile",
                "--dump-dom",
                f"file://{tmp_path}/{name}",
            ],
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=True,
        )
        return done.stdout, done.stderr

    assert "CONSOLE" not in dump("card.html")[1]
    title = re.search(r"<title>(.*?)</title>", dump("looked.html")[0])[1]
    seen = json.loads(title.replace("&quot;", '"'))
    verdicts = [check["verdict"] for check in card["checks"]]
    assert seen["f-all"][0] == len(verdicts)
    assert seen["f-fail"] == [verdicts.count("fail")] * 2
    assert seen["f-pass"] == [verdicts.count("pass"), 0]


def test_the_shell_recipe_writes_the_reports_and_exits_by_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "mockserver").write_text(f'#!/bin/sh\nexec {sys.executable} -m mockserver "$@"\n')
    (tmp_path / "mockserver").chmod(0o755)
    variables = {
        "CERTIFY_PROVIDER": "coinw",
        "CERTIFY_COMMAND": "curl -s $MOCKSERVER_BASE_URL; exit 3",
        "CERTIFY_MOCKSERVER": str(tmp_path / "mockserver"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    done = subprocess.run(
        ["sh", str(ACTION)], env=CLEAN | variables, cwd=tmp_path, timeout=WITHIN, check=False
    )
    assert done.returncode == 1
    written = {file.name for file in (tmp_path / "certify-report").iterdir()}
    assert written == {"card.html", "card.json", "card.txt", "junit.xml", "badge.json"}
    assert "score" in (tmp_path / "summary").read_text()
