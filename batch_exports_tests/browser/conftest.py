"""A headless Chromium for the browser tests, and a watch that no page leaves this machine."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from batch_exports_tests.browser.install import browser_required, find_chromium

ARGUMENTS = [
    "--no-sandbox",  # containers run tests as root, where the sandbox refuses to start
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
THIS_MACHINE = {"127.0.0.1", "localhost"}

# On a busy machine a page may take longer than the five seconds that are the default.
expect.set_options(timeout=30_000)


# Playwright's synchronous API keeps an event loop running in the test's thread as long as it is
# open, and `asyncio.run` refuses to work beside one: so not for the session, only for these tests.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser that all browser tests share."""
    path = find_chromium()
    if path is None:
        give_up = pytest.fail if browser_required() else pytest.skip
        give_up("no Chromium here: run `python -m batch_exports_tests.browser.install`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page without history or cookies. The test fails if it asks another machine for anything."""
    context = chromium.new_context(viewport={"width": 1600, "height": 1000})
    page = context.new_page()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda websocket: asked.append(websocket.url))
    yield page
    context.close()
    # data: and blob: URLs have no host, and ask nobody.
    outside = [url for url in asked if urlsplit(url).hostname not in {*THIS_MACHINE, None}]
    assert not outside, f"the page reached beyond this machine: {outside}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> None:
    """A test that fails tells where a picture is of what its page showed."""
    shown = getattr(item, "funcargs", {})
    if call.when != "call" or call.excinfo is None or "page" not in shown:
        return
    picture = Path(item.config.cache.mkdir("browser"), f"{item.name}.png")
    with suppress(Exception):  # the page may be what failed
        shown["page"].screenshot(path=picture)
        call.excinfo.value.add_note(f"Screenshot: {picture}")
