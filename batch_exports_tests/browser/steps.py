"""What an engineer does in the UI with more than one click."""

from playwright.sync_api import Page, Request, Response, expect

RUN_MILLISECONDS = 120_000
"""How long a run may take on a busy machine until a page must show its end."""


def launch(page: Page, partitions: str = "") -> str:
    """Materialize, by the dialog of the asset's page that is open: the partition that is selected
    there, or these, as one types them. Returns the ID of the run, or of the backfill.
    """
    page.get_by_role("button", name="Materialize…").click()
    dialog = page.get_by_role("dialog")
    if partitions:
        typed = dialog.get_by_role("textbox")
        typed.fill(partitions)
        typed.press("Enter")
    button = dialog.get_by_role("button", name="Launch backfill" if partitions else "Launch 1 run")
    # The page tells of it for some seconds alone; what the web server answered stays.
    with page.expect_response(_launches) as answer:
        button.click()
    expect(dialog).to_be_hidden()
    return _launched(answer.value)


def see_run_end(page: Page, url: str, run: str, status: str) -> None:
    """On the page of the run, which is not loaded again meanwhile."""
    page.goto(f"{url}/runs/{run}")
    shown = page.get_by_text(status, exact=True).first
    expect(shown).to_be_visible(timeout=RUN_MILLISECONDS)


def _launches(response: Response) -> bool:
    request: Request = response.request
    return "/graphql" in request.url and "mutation Launch" in (request.post_data or "")


def _launched(response: Response) -> str:
    (answer,) = response.json()["data"].values()
    found: str | None = answer.get("backfillId") or answer.get("run", {}).get("id")
    assert found, answer
    return found
