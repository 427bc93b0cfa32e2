"""The harness of the browser tests, tried on the smallest definitions that have a page."""

from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, expect

from batch_exports_tests.browser.webserver import dagster_webserver

DEFINITIONS = """
import dagster as dg

uuid = dg.TableColumn("uuid", "string", description="The unique ID of the event.")
columns = dg.TableSchema(columns=[uuid])

@dg.asset(key=["toy", "events"], metadata={"dagster/column_schema": columns})
def events() -> None: ...

defs = dg.Definitions(assets=[events])
"""


@pytest.mark.browser
def test_shows_a_page_and_leaves_no_process_behind(page: Page, tmp_path: Path) -> None:
    definitions = tmp_path / "toy.py"
    definitions.write_text(DEFINITIONS)
    with dagster_webserver(tmp_path, "-f", str(definitions)) as url:
        page.goto(f"{url}/assets/toy/events")
        expect(page.get_by_text("The unique ID of the event.")).to_be_visible()
    with pytest.raises(Error, match="ERR_CONNECTION_REFUSED"):
        page.goto(url)
