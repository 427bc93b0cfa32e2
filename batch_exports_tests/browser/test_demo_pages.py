"""The exports of the demo in the Dagster UI, as an engineer sees them."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from batch_exports.checks import CHECKS, CHECKS_OF_MERGES
from batch_exports.definitions import load_definitions
from batch_exports.local import postgres_server, seaweedfs
from batch_exports.local.lake import lay_lake
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.browser.webserver import INSTANCE, dagster_webserver
from batch_exports_tests.conftest import ROLE_ARN

pytestmark = pytest.mark.browser
KEY = "2026-11-02-12:00"
DAY = "2026-11-02"
ASSET = "assets/s3/events_archive"
SHOTS = os.environ.get("BATCH_EXPORTS_SCREENSHOTS")


@pytest.fixture(scope="module")
def ui(
    s3_server: seaweedfs.Server,
    postgres_server: postgres_server.Server,
    redshift_emulator: Emulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The demo's definitions in a web server, with one partition delivered and checked to S3, one
    to PostgreSQL, and one to Redshift."""
    folder = tmp_path_factory.mktemp("ui")
    lay_lake(folder / "lake")
    s3_server.client().create_bucket(Bucket="ui-demo")
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(INSTANCE)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("BATCH_EXPORTS_DEFS", raising=False)
        for name, value in {
            "S3_ENDPOINT": s3_server.endpoint,
            "S3_ACCESS_KEY_ID": s3_server.admin.access_key_id,
            "S3_SECRET_ACCESS_KEY": s3_server.admin.secret_access_key,
            "S3_BUCKET": "ui-demo",
            "LAKE": str(folder / "lake"),
            "POSTGRES_HOST": postgres_server.host,
            "POSTGRES_PORT": str(postgres_server.port),
            "POSTGRES_DATABASE": postgres_server.database,
            "POSTGRES_USER": postgres_server.exporter.user,
            "POSTGRES_PASSWORD": postgres_server.exporter.password,
            "POSTGRES_ROOT_CERT": str(postgres_server.root_certificate),
            "POSTGRES_SCHEMA": "exports",
            "REDSHIFT_HOST": redshift_emulator.host,
            "REDSHIFT_PORT": str(redshift_emulator.port),
            "REDSHIFT_DATABASE": redshift_emulator.database,
            "REDSHIFT_USER": redshift_emulator.exporter.user,
            "REDSHIFT_PASSWORD": redshift_emulator.exporter.password,
            "REDSHIFT_ROOT_CERT": str(redshift_emulator.root_certificate),
            "REDSHIFT_SCHEMA": "exports",
            "REDSHIFT_ROLE_ARN": ROLE_ARN,
            "AMPLITUDE": str(folder / "amplitude"),
        }.items():
            environment.setenv(f"BATCH_EXPORTS_LOCAL_{name}", value)
        environment.setenv("DAGSTER_HOME", str(home))
        definitions = load_definitions()
        with dg.DagsterInstance.get() as instance:
            for name, key in (
                ("events_archive", KEY),
                ("persons_table", KEY),
                ("persons_redshift", DAY),
            ):
                job = definitions.resolve_job_def(f"{name}_job")
                assert job.execute_in_process(partition_key=key, instance=instance).success
        with dagster_webserver(home, "-m", "batch_exports.definitions") as url:
            yield url


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def test_the_asset_with_its_columns(page: Page, ui: str) -> None:
    page.goto(f"{ui}/{ASSET}")
    expect(page.get_by_role("tab", name="Overview", selected=True)).to_be_visible()
    expect(page.get_by_text("The name of the event that was sent.")).to_be_visible()
    shoot(page, "overview")


def test_its_partitions(page: Page, ui: str) -> None:
    page.goto(f"{ui}/{ASSET}?view=partitions")
    expect(page.get_by_text("72 Partitions Selected")).to_be_visible()
    expect(page.get_by_text("Materialized (1)")).to_be_visible()
    expect(page.get_by_text("Missing (71)")).to_be_visible()
    shoot(page, "partitions")


def test_what_a_partition_delivered(page: Page, ui: str) -> None:
    page.goto(f"{ui}/{ASSET}?view=partitions&partition={KEY}")
    expect(page.get_by_text("rows_per_second").first).to_be_visible()
    shoot(page, "partition")


def test_its_checks(page: Page, ui: str) -> None:
    page.goto(f"{ui}/{ASSET}?view=checks&checkDetail=row_count")
    expect(page.get_by_text("Passed").first).to_be_visible()
    expect(page.get_by_text("Rows in the source = rows delivered and rejected")).to_be_visible()
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


def test_a_load_comes_from_the_files_of_another_export(page: Page, ui: str) -> None:
    page.goto(f"{ui}/assets/redshift/amplitude_loads?view=lineage&lineageScope=neighbors")
    for asset in ("amplitude_loads", "amplitude_files"):
        expect(page.get_by_text(asset, exact=True).last).to_be_visible()
    shoot(page, "load-lineage")


def test_where_its_rows_come_from(page: Page, ui: str) -> None:
    page.goto(f"{ui}/asset-groups")
    expect(page.get_by_text("Global asset lineage")).to_be_visible()
    for group in ("sources", "exports"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    shoot(page, "lineage")
    page.goto(f"{ui}/{ASSET}?view=lineage&lineageScope=neighbors")
    for asset in ("events", "events_archive"):
        expect(page.get_by_text(asset, exact=True).last).to_be_visible()
    shoot(page, "asset-lineage")
