"""The documentation as a site (`make docs`): search, width, and no request to another host."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import yaml

from contract_tests.support.browser import chromium
from contract_tests.support.tools import missing

SITE = Path(__file__).parents[2] / "build/docs"
QUESTIONS = yaml.safe_load(Path(__file__).with_name("questions.yaml").read_text("utf-8"))
RESULTS = 5  # that a reader looks at


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Logs nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if not (SITE / "search.html").exists():
        missing("the site is not built: make docs")
    handler = functools.partial(Quiet, directory=str(SITE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


def test_each_question_is_answered_within_two_clicks(url: str, browser: Any) -> None:
    page = browser.new_page()
    missed = {}
    for question, answers in QUESTIONS.items():
        page.goto(f"{url}/search.html?q={quote(question)}")
        page.wait_for_function(
            "/found|did not match/.test(document.querySelector('.search-summary')?.textContent)"
        )
        links = page.locator("#search-results li > a").evaluate_all("all => all.map(a => a.href)")
        found = [urlsplit(link).path.removesuffix(".html").strip("/") for link in links]
        if not {*dict.fromkeys(found[:RESULTS])} & {*answers}:
            missed[question] = found[:RESULTS]
    assert not missed, "\n".join(f"{q}: {found}" for q, found in missed.items())


@pytest.mark.parametrize("width", [390, 1440])
def test_every_page_fits_the_screen_and_loads_from_its_own_host(
    url: str, browser: Any, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    hosts: set[str] = set()
    problems: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("pageerror", lambda error: problems.append(str(error)))
    wide = []
    for path in sorted(SITE.rglob("*.html")):
        page.goto(f"{url}/{path.relative_to(SITE).as_posix()}")
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path.name)
    assert (wide, problems, hosts) == ([], [], {urlsplit(url).netloc})
