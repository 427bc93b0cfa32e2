"""The commands about a table of a warehouse, as a user types them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from batch_exports.cli import main
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.components.test_warehouse_table_source import (
    CONNECTION,
    EXPORT,
    S3,
    SOURCE,
)
from batch_exports_tests.sources.warehouse.places import Place, place

Run = Callable[..., Result]


@pytest.fixture(params=["postgres_server", "redshift_emulator"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[Place]:
    with place(request.getfixturevalue(request.param)) as found:
        found.make(
            "id INTEGER, email VARCHAR(50), city VARCHAR(20), score DOUBLE PRECISION",
            "1, 'a@x.org', 'Rome', 0.5",
            "2, NULL, 'Bonn', 1",
        )
        yield found


@pytest.fixture
def run(warehouse: Place, tmp_path: Path) -> Run:
    server: Server | Emulator = warehouse.server

    def run(*words: str, password: str | None = None) -> Result:
        given = {
            "kind": "Redshift" if isinstance(server, Emulator) else "Postgres",
            "schema": warehouse.schema,
            "state": warehouse.state,
            "bucket": "exports",
        }
        folder = tmp_path / "defs" / "exports"
        folder.mkdir(parents=True, exist_ok=True)
        source = SOURCE + "  columns: [id, {column: city, trait: 'address.city'}]\n"
        parts = (S3, CONNECTION, source, EXPORT)
        (folder / "defs.yaml").write_text("---\n".join(part % given for part in parts))
        variables = {
            "BATCH_EXPORTS_DEFS": str(tmp_path / "defs"),
            "TEST_S3_URL": "http://127.0.0.1:1",
            "TEST_S3_KEY_ID": "AKIA0000000000000000",
            "TEST_S3_SECRET": "a-secret",
            "TEST_HOST": server.host,
            "TEST_PORT": str(server.port),
            "TEST_DATABASE": server.database,
            "TEST_USER": server.exporter.user,
            "TEST_PASSWORD": password or server.exporter.password,
            "TEST_ROOT": str(server.root_certificate),
        }
        done = CliRunner().invoke(main, words, env=variables)
        assert variables["TEST_PASSWORD"] not in done.output
        return done

    return run


def test_preview(run: Run, warehouse: Place) -> None:
    done = run("preview", "crm")
    assert done.exit_code == 0, done.output
    words = (
        "2/4 selected",
        "id      integer                id            primary key",
        "-             email",
        "address.city",
        "-             not selected",
        '1  email=a@x.org  {"id":1,"address":{"city":"Rome"}}',
        "left out: nothing in it tells whom it is about",
        "none: user_id is empty, as is anonymous_id",
    )
    for word in words:
        assert word in done.output
    found = run("preview", "crm", "--search", "CIT", "--rows", "1")
    assert "1 with 'CIT'" in found.output
    assert "score" not in found.output
    warehouse.run("ALTER TABLE persons ADD COLUMN user_id VARCHAR(10)")
    warehouse.run("UPDATE persons SET user_id = 'u1'")
    shown = run("preview", "crm").output
    for word in ('"userId": "u1"', '"city": ', '"email": "a@x.org"'):
        assert word in shown
    made = warehouse.kept(f"SELECT COUNT(*) FROM pg_tables WHERE schemaname = '{warehouse.state}'")
    assert made == [(0,)]


def test_test(run: Run, warehouse: Place) -> None:
    done = run("test", "crm")
    assert done.exit_code == 0, done.output
    steps = [line[9:].removeprefix("source").strip() for line in done.output.splitlines()]
    words = [
        "Verifying Connection",
        "Able to List Schema",
        f"Able to Access {warehouse.state} Schema",
        "Identifiers",
        "Primary Key",
        "Trial SELECT",
    ]
    found = [s for s in steps if any(s.startswith(word) for word in words)]
    assert [word for step, word in zip(found, words, strict=True) if step.startswith(word)] == words
    assert "2/4 columns are traits; of the first 2 rows 1 are invalid" in done.output
    assert "5 passed, 1 warning, 1 skipped" in done.output
    wrong = run("test", "crm", password="Wrong1-password")
    assert wrong.exit_code == 1
    assert "FAILED   source      Verifying Connection" in wrong.output


def test_setup_sql(run: Run, warehouse: Place) -> None:
    done = run("setup-sql", "crm", password="weak")
    assert done.exit_code == 0, done.output
    assert f'CREATE SCHEMA "{warehouse.state}";' in done.output
    is_redshift = isinstance(warehouse.server, Emulator)
    assert ("breaks a rule: it has no digit" in done.output) == is_redshift
    unknown = run("preview", "crm_archive")
    assert unknown.exit_code == 1
    assert "there is no WarehouseTableSource 'crm_archive'. There is: crm." in unknown.output
