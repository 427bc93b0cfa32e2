"""The demo deployed for good, as an engineer sees it and works with it in the Dagster UI."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from batch_exports.checks import CHECKS, CHECKS_OF_MERGES
from batch_exports.local import postgres_server, seaweedfs
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.browser.deployed import REFUSED, Deployed, deployed
from batch_exports_tests.browser.steps import RUN_MILLISECONDS, launch, see_run_end
from deploy.trial import graphql

pytestmark = pytest.mark.browser
KEY = "2026-11-02-12:00"
DAY = "2026-11-02"
ASSET = "assets/s3/events_archive"
TABLE = "assets/postgres/events_table"
SHOTS = os.environ.get("BATCH_EXPORTS_SCREENSHOTS")


@pytest.fixture(scope="module")
def demo(
    s3_server: seaweedfs.Server,
    postgres_server: postgres_server.Server,
    redshift_emulator: Emulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployed]:
    """The demo, with one partition delivered and checked to S3, two to PostgreSQL, and one to
    Redshift."""
    folder = tmp_path_factory.mktemp("ui")
    with deployed(folder, s3_server, postgres_server, redshift_emulator) as it:
        it.deliver(
            {
                "events_archive": KEY,
                "events_table": DAY,
                "persons_table": KEY,
                "persons_redshift": DAY,
            }
        )
        yield it


@pytest.fixture
def ui(demo: Deployed) -> str:
    return demo.url


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def test_the_asset_with_its_columns(page: Page, ui: str) -> None:
    page.goto(f"{ui}/{ASSET}")
    expect(page.get_by_role("tab", name="Overview", selected=True)).to_be_visible()
    expect(page.get_by_text("The name of the event that was sent.")).to_be_visible()
    shoot(page, "overview")


def test_what_a_partition_delivered(page: Page, ui: str) -> None:
    page.goto(f"{ui}/{ASSET}?view=partitions")
    expect(page.get_by_text("72 Partitions Selected")).to_be_visible()
    expect(page.get_by_text("Materialized (1)")).to_be_visible()
    expect(page.get_by_text("Missing (71)")).to_be_visible()
    shoot(page, "partitions")
    page.get_by_placeholder("Filter by name…").fill(KEY)
    page.get_by_text(KEY, exact=True).first.click()
    for name in ("dagster/partition_row_count", "source_rows"):
        expect(page.get_by_role("row", name=name).get_by_text("1054", exact=True)).to_be_visible()
    files = page.get_by_role("table").filter(has_text="uri").last
    expect(files.get_by_role("row").nth(1)).to_contain_text("20261102T120000Z-20261102T130000Z-0")
    shoot(page, "partition")


def test_its_checks(page: Page, ui: str) -> None:
    page.goto(f"{ui}/{ASSET}?view=checks&checkDetail=row_count")
    expect(page.get_by_text("Passed").first).to_be_visible()
    expect(page.get_by_text("Rows in the source = rows delivered and rejected")).to_be_visible()
    expect(page.get_by_text("Rows in the source: 1054")).to_be_visible()
    for name in CHECKS:
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(len(CHECKS))
    shoot(page, "checks")


@pytest.mark.parametrize("asset", ["postgres/persons_table", "redshift/persons_redshift"])
def test_the_checks_of_a_table_that_merges(page: Page, ui: str, asset: str) -> None:
    page.goto(f"{ui}/assets/{asset}?view=checks&checkDetail=versions")
    expect(page.get_by_text("Passed").first).to_be_visible()
    for name in (*CHECKS, *CHECKS_OF_MERGES):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    shoot(page, f"{asset.split('/', maxsplit=1)[0]}-checks")


def test_where_its_rows_come_from(page: Page, ui: str) -> None:
    page.goto(f"{ui}/asset-groups")
    expect(page.get_by_text("Global asset lineage")).to_be_visible()
    for group in ("sources", "exports", "warehouse"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    shoot(page, "lineage")
    page.goto(f"{ui}/{ASSET}?view=lineage&lineageScope=neighbors")
    for asset in ("events", "events_archive"):
        expect(page.get_by_text(asset, exact=True).last).to_be_visible()
    shoot(page, "asset-lineage")


def test_a_load_comes_from_the_files_of_another_export(page: Page, ui: str) -> None:
    page.goto(f"{ui}/assets/redshift/amplitude_loads?view=lineage&lineageScope=upstream")
    page.get_by_role("button", name="All", exact=True).click()
    for asset in ("amplitude_loads", "amplitude_files", "amplitude_events"):
        expect(page.get_by_text(asset, exact=True).last).to_be_visible()
    shoot(page, "load-lineage")
    page.get_by_text("amplitude_files", exact=True).last.click()
    expect(page).to_have_url(re.compile(f"{ui}/assets/s3/amplitude_files"))


def test_a_partition_is_materialized_again(page: Page, demo: Deployed) -> None:
    before = rows(demo)
    deliveries = delivered_at(demo)
    page.goto(f"{demo.url}/{TABLE}?view=partitions&partition={DAY}")
    expect(page.get_by_text("rows_per_second").first).to_be_visible()
    run = launch(page)
    see_run_end(page, demo.url, run, "Success")
    assert rows(demo) == before
    assert delivered_at(demo) > deliveries
    page.goto(f"{demo.url}/{TABLE}?view=partitions&partition={DAY}")
    expect(page.get_by_role("link", name=run[:8])).to_be_visible()
    shoot(page, "again")


def rows(demo: Deployed) -> list[tuple[object, ...]]:
    """How many, and a digest of all that they hold."""
    return demo.ask_postgres(
        "SELECT count(*), md5(string_agg(events::text, '' ORDER BY uuid)) FROM exports.events"
    )


def delivered_at(demo: Deployed) -> list[tuple[object, ...]]:
    return demo.ask_postgres(
        "SELECT delivered_at FROM exports._batch_exports_ledger "
        "WHERE export = 'events_table' AND interval_start = '2026-11-02T00:00Z'"
    )


def test_a_backfill_is_launched_and_watched(page: Page, demo: Deployed) -> None:
    asset = "assets/postgres/sessions_table"
    page.goto(f"{demo.url}/{asset}?view=partitions")
    expect(page.get_by_text("Missing (12)")).to_be_visible()
    backfill = launch(page, "[2026-11-02-00:00...2026-11-02-12:00]")
    page.goto(f"{demo.url}/runs/b/{backfill}")
    expect(page.get_by_text("100% completed")).to_be_visible(timeout=RUN_MILLISECONDS)
    # The heading of a column, and what became of it.
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(2)
    shoot(page, "backfill")
    page.goto(f"{demo.url}/{asset}?view=partitions")
    expect(page.get_by_text("Materialized (3)")).to_be_visible()
    recorded = demo.ask_postgres(
        "SELECT count(*) FROM exports._batch_exports_ledger WHERE export = 'sessions_table'"
    )
    assert recorded == [(3,)]


def test_a_failure_says_what_to_do(page: Page, demo: Deployed) -> None:
    page.goto(f"{demo.url}/assets/s3/{REFUSED}?view=partitions&partition={DAY}")
    expect(page.get_by_text("Missing (3)")).to_be_visible()
    run = launch(page)
    see_run_end(page, demo.url, run, "Failure")
    page.get_by_placeholder("Filter…").fill("type:STEP_FAILURE")
    expect(page.get_by_text("was refused with NoSuchBucket").first).to_be_visible()
    page.get_by_text("[Show Markdown]").click()
    remedy = page.get_by_role("dialog").get_by_text("Create the bucket, or correct bucket_name.")
    expect(remedy).to_be_visible()
    shoot(page, "failure")


def test_runs_are_spread_over_workers(demo: Deployed) -> None:
    """One run waits for the end of no other: both are under way at once, each by a worker."""
    with demo.held_up():
        runs = graphql.launch(demo.url, "events_table_job", ["2026-11-01", "2026-11-03"])
        deadline = time.monotonic() + graphql.RUN_SECONDS
        found: set[int | None] = {None}
        while None in found and time.monotonic() < deadline:
            found = {graphql.process(graphql.events(demo.url, run)) for run in runs}
            time.sleep(0.2)
        assert found == demo.workers
        assert graphql.statuses(demo.url, runs) == ["STARTED", "STARTED"]
    assert graphql.ended(demo.url, runs) == ["SUCCESS", "SUCCESS"]
    for run in runs:
        checks = [e["evaluation"] for e in graphql.events(demo.url, run) if "evaluation" in e]
        assert {check["success"] for check in checks} == {True}


def test_no_secret_is_an_argument_of_a_process(demo: Deployed) -> None:
    """All users of a machine can read arguments: https://man7.org/linux/man-pages/man5/proc_pid_cmdline.5.html"""
    commands = demo.commands()
    assert len(commands) >= len(demo.services.pids)
    assert not [text for text in commands for secret in demo.secrets if secret in text]
