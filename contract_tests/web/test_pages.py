"""What the pages are sent as, and what their files may not contain; a browser tests the rest."""

import re
from pathlib import Path

import pytest
import requests
from starlette.testclient import TestClient

from mockserver import MockServer, create_app
from mockserver.web.pages import ASSETS, MEDIA_TYPES

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FILES = sorted(ASSETS.iterdir())
PAGES = [("/", "index.html"), ("/docs", "docs.html"), ("/facts", "facts.html")]
SIZE_MAX = 1_500_000  # bytes of all files together


@pytest.mark.parametrize(("path", "name"), PAGES)
def test_a_page_is_sent_under_a_strict_policy(server: MockServer, path: str, name: str) -> None:
    answer = requests.get(server.url + path, headers=HTML, timeout=30)
    assert (answer.status_code, answer.content) == (200, (ASSETS / name).read_bytes())
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    tag = {"If-None-Match": answer.headers["etag"]}
    assert requests.get(server.url + path, headers=HTML | tag, timeout=30).status_code == 304


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_is_served_as_what_it_is(server: MockServer, file: Path) -> None:
    answer = requests.get(f"{server.url}/web/{file.name}", timeout=30)
    assert (answer.status_code, answer.content) == (200, file.read_bytes())
    assert answer.headers["content-type"].startswith(MEDIA_TYPES[file.suffix])


@pytest.mark.parametrize("name", ["nope.js", "..%2fpages.py", "%2e%2e/pages.py", "index.html.bak"])
def test_no_other_file_is_served(server: MockServer, name: str) -> None:
    answer = requests.get(f"{server.url}/web/{name}", timeout=30)
    assert answer.status_code == 404
    assert b"import" not in answer.content


def test_everything_else_gets_the_links(server: MockServer) -> None:
    answer = requests.get(server.url, timeout=30)
    assert answer.json()["links"]["dashboard"] == server.url + "/"
    for link in answer.json()["links"].values():
        assert requests.get(link, timeout=30).status_code in (200, 501)  # metrics are an extra


def test_a_provider_keeps_its_own_root() -> None:
    client = TestClient(create_app(), base_url="http://cpg.localhost")
    for path in ("/", "/docs", "/web/app.js"):
        assert client.get(path, headers=HTML).json()["success"] is False


FORBIDDEN = [
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment",
    r"\beval\(|new Function|setTimeout\(['\"]",
    r"https?://(?!www\.w3\.org)",  # nothing from other hosts
    r"\bstyle=|\son\w+=[\"']|javascript:",
    r"@import|url\(",
]


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_file_makes_markup_of_text_or_reaches_another_host(pattern: str) -> None:
    lines = {
        f.name: line.strip()
        for f in FILES
        for line in f.read_text().splitlines()
        if re.search(pattern, line)
    }
    assert lines == {}


def test_the_files_are_small_and_scripts_are_external() -> None:
    assert sum(file.stat().st_size for file in FILES) < SIZE_MAX
    for _, name in PAGES:
        text = (ASSETS / name).read_text()
        assert re.findall(r"<script[^>]*>([^<]*)</script>", text) == [""]
        assert "<style" not in text
