"""A browser for the system tests: pages that collect errors and violations of their policy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from contract_tests.support.tools import find_tool, missing
from mockserver import Auth

PANELS = ("journal", "providers", "time", "faults", "limits", "ledger", "quirks", "coverage")
PAGES = ("docs", "facts")
WAIT = 20_000  # milliseconds, for anything that the page does
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""


@contextmanager
def chromium() -> Iterator[Any]:
    """A running Chromium; skips the test where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed")
    path = find_tool("chromium", "chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A browser context whose pages report errors; ``problems`` is empty on a good page."""

    def __init__(self, browser: Any, **settings: Any) -> None:
        size = {"width": 1440, "height": 900}
        self.context = browser.new_context(**{"viewport": size} | settings)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.context.add_init_script(WATCH)
        self.context.set_default_timeout(WAIT)
        self.messages: list[str] = []

    def page(self) -> Any:
        page = self.context.new_page()
        page.on("console", lambda m: self._note(m.type, m.text))
        page.on("pageerror", lambda error: self.messages.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.messages.append("a dialog"), dialog.dismiss()))
        return page

    def _note(self, kind: str, text: str) -> None:
        # A refused call is an answer; the browser logs each as an error.
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.messages.append(f"{kind}: {text}")

    def problems(self) -> list[str]:
        pages = [page for page in self.context.pages if page.url.startswith("http")]
        return self.messages + [v for page in pages for v in page.evaluate("window.violations")]


def open_panel(page: Any, url: str, panel: str, sandbox: str = "default") -> None:
    """Opens a panel, or one of the other pages, and waits until it shows something."""
    if panel in PAGES:
        page.goto(f"{url}/{panel}")
        page.locator(".operation, .fact-row").first.wait_for()
        return
    page.goto(f"{url}/#/{sandbox}/{panel}")
    page.locator(f"main[data-panel={panel}] > :not(h1)").first.wait_for()
    page.locator(".state.live").wait_for()


def send_read(server: Any, name: str, wrong: bool = False, id: str = "") -> int:
    """Sends a provider's main read, with a wrong secret or key if ``wrong``; returns the status."""
    handle = getattr(server, name)
    key = dict(handle.credentials)
    if wrong and name == "cdp":
        key["key_secret"] = server.sandbox().cdp.credentials["key_secret"]
    elif wrong:
        member = next(m for m in ("secret", "secret_key", "api_key") if m in key)
        key[member] = key[member][:-1] + "x"
    signed = Auth(name, key).example(handle.base_url)
    parts = urlsplit(handle.base_url)
    headers = {k.decode(): v.decode() for k, v in signed.headers}
    with requests.Session() as session:
        session.trust_env = False
        url = f"{parts.scheme}://{parts.netloc}{id}{signed.target.decode()}"
        answer = session.request(signed.method, url, headers=headers, data=signed.body, timeout=30)
    return answer.status_code


def walk(page: Any, url: str, picture: Callable[[str], None] = lambda name: None) -> str:
    """Goes from the banner's address to an explained refusal; returns the explanation."""
    page.goto(url)
    page.get_by_text("No request yet.").wait_for()
    picture("walk-1-empty")
    page.get_by_role("link", name="Open Providers").click()
    card = page.locator("section.provider", has=page.locator(".tag:text-is('cpg')"))
    card.get_by_role("button", name="Send a wrong one").click()
    page.locator("#toasts").get_by_text("cpg: 401").wait_for()
    picture("walk-2-sent")
    page.get_by_role("link", name="See it in the journal").click()
    page.locator(".explanation").wait_for()
    picture("walk-3-explained")
    text: str = page.locator(".explanation").inner_text()
    return text


def save_screenshot(page: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(path))
