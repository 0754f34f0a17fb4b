"""Makes the pictures that the documentation shows: ``make screenshots``.

A server is filled with requests, good and wrong ones, and the page is photographed wide and
narrow, in dark and in light, into ``docs/images`` or the folder that is given.
"""

import sys
from pathlib import Path
from typing import Any

import requests

from contract_tests.support.browser import (
    PAGES,
    PANELS,
    Watched,
    chromium,
    open_panel,
    save_screenshot,
    send_read,
    walk,
)
from mockserver import MockServer
from mockserver.providers import discover

ROOT = Path(__file__).parent.parent.parent
SHOTS = [
    ("dashboard-journal", "journal", "dark", (1440, 900)),
    ("dashboard-faults", "faults", "light", (1440, 900)),
    ("dashboard-time", "time", "light", (1440, 700)),
    ("dashboard-narrow", "journal", "light", (390, 800)),
]


def main() -> None:
    """Writes the pictures; with ``--all``, of every panel in both themes."""
    arguments = [a for a in sys.argv[1:] if a != "--all"]
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "images"
    shots = SHOTS
    if "--all" in sys.argv:
        shots = [
            (f"{panel}-{scheme}-{width}", panel, scheme, (width, 900))
            for panel in (*PANELS, *PAGES)
            for scheme in ("dark", "light")
            for width in (360, 1440, 2560)
        ]
    with MockServer() as server, chromium() as browser:
        watched = Watched(browser, viewport={"width": 1200, "height": 720}, color_scheme="light")
        page = watched.page()

        def picture(name: str, page: Any = page) -> None:
            page.wait_for_timeout(600)
            save_screenshot(page, folder / f"{name}.png")

        walk(page, server.url, picture)
        watched.context.close()
        server.reset()
        server.cpg.fail("slow", probability=0.2, deliver={"delay": "20ms"})
        for _ in range(3):
            for provider in discover():
                send_read(server, provider)
            for provider in ("cpg", "coinw", "cdp"):
                send_read(server, provider, wrong=True)
        for name, panel, scheme, (width, height) in shots:
            watched = Watched(
                browser, color_scheme=scheme, viewport={"width": width, "height": height}
            )
            page = watched.page()
            open_panel(page, server.url, panel)
            if panel == "journal":
                for provider in ("coinapi", "coinw", "cdp"):
                    send_read(server, provider, wrong=True)
                headers = server.cpg.auth.headers("POST", "/v1/balances")  # a client's mistake
                requests.get(server.cpg.base_url + "/v1/balances", headers=headers, timeout=30)
                page.get_by_text("another method signed").first.wait_for()
                page.locator(".spacer > .row", has_text="another method signed").first.click()
                page.locator(".explanation").wait_for()
                page.wait_for_timeout(1500)
            page.wait_for_timeout(500)
            save_screenshot(page, folder / f"{name}.png")
            watched.context.close()
            sys.stdout.write(f"{folder / name}.png\n")


if __name__ == "__main__":
    main()
