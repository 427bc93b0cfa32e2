"""The SQL for administrators: as it is printed it lets a source sync; without a statement of it the
source says which one is missing."""

import re
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from batch_exports.errors import Terminal
from batch_exports.local.postgres_programs import find_programs
from batch_exports.probe import probe
from batch_exports.sources.warehouse.password import broken_rules
from batch_exports.sources.warehouse.probe import Attempt, steps
from batch_exports.sources.warehouse.setup_sql import PASSWORD, setup_sql
from batch_exports.sources.warehouse.synced_table import SyncedTable
from batch_exports_tests.sources.warehouse.places import BY_ID, Place, rows_of, told

STRONG = "Correct1Horse"
# https://docs.rudderstack.com/warehouse-actions/amazon-redshift#granting-permissions
DOCUMENTED = [
    """CREATE USER "{user}" WITH PASSWORD '<strong_unique_password>';""",
    'CREATE SCHEMA "{state}";',
    'GRANT ALL ON SCHEMA "{state}" TO "{user}";',
    'GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA "{state}" TO "{user}";',
    'GRANT USAGE ON SCHEMA "{schema}" TO "{user}";',
    'GRANT SELECT ON TABLE "{schema}"."persons" TO "{user}";',
]
OPTIONAL = [
    'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO "{user}";',
    'ALTER DEFAULT PRIVILEGES IN SCHEMA "{schema}" GRANT SELECT ON TABLES TO "{user}";',
]


@dataclass
class Granted:
    """A user of whom an administrator's psql knows, and a table that is there."""

    warehouse: Place
    user: str
    state: str
    script: str

    def run(self, script: str) -> None:
        server = self.warehouse.server
        login = server.admin
        url = (
            f"postgresql://{login.user}:{login.password}@{server.host}:{server.port}"
            f"/{server.database}?sslmode=verify-full&sslrootcert={server.root_certificate}"
        )
        program = str(find_programs().folder / "psql")
        command = [program, url, "--no-psqlrc", "-f", "-", "-v", "ON_ERROR_STOP=1"]
        text = script.replace(PASSWORD, STRONG)
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def source(self) -> Any:
        return self.warehouse.source(
            user=self.user, password=STRONG, state=self.state, name="granted"
        )

    def filled(self, statements: list[str]) -> list[str]:
        given = {"user": self.user, "state": self.state, "schema": self.warehouse.schema}
        return [statement.format(**given) for statement in statements]


@pytest.fixture
def granted(warehouse: Place) -> Iterator[Granted]:
    user, state = f"rudder {uuid.uuid4().hex[:8]}", f"_state {uuid.uuid4().hex[:8]}"
    synced = SyncedTable("granted", warehouse.table, state, warehouse.dialect, BY_ID)
    warehouse.make("id INTEGER, email VARCHAR(50)", "1, 'a@x.org'")
    yield Granted(warehouse, user, state, setup_sql(synced, user))
    warehouse.run(f'DROP SCHEMA IF EXISTS "{state}" CASCADE')
    if not warehouse.kept(f"SELECT 1 FROM pg_user WHERE usename = '{user}'"):
        return
    warehouse.run(f'REVOKE ALL ON SCHEMA "{warehouse.schema}" FROM "{user}"')
    warehouse.run(f'REVOKE ALL ON TABLE persons FROM "{user}"')
    warehouse.run(f'DROP USER IF EXISTS "{user}"')


def test_the_statements_are_the_documents_in_its_order(granted: Granted) -> None:
    lines = granted.script.splitlines()
    statements = [line for line in lines if line and not line.startswith("--")]
    assert statements == granted.filled(DOCUMENTED)
    assert [
        line.removeprefix("-- ") for line in lines if re.match(r"-- (GRANT|ALTER)", line)
    ] == granted.filled(OPTIONAL)


def test_a_user_with_these_rights_syncs(granted: Granted) -> None:
    granted.run(granted.script)
    with granted.source() as source:
        assert told(source, 0) == [("insert", "1")]
        granted.warehouse.run("INSERT INTO persons VALUES (2, NULL)")
        assert told(source, 1) == []
        verdicts = {
            result.step: result.finding.verdict
            for result in probe(steps(granted.state), Attempt(lambda: source))
        }
    assert verdicts == {
        "Verifying Connection": "passed",
        "Able to List Schema": "passed",
        f"Able to Access {granted.state} Schema": "passed",
        "Identifiers": "passed",
        "Primary Key": "passed",
        "Trial SELECT": "warning",
        "Trial UNLOAD": "skipped",
    }


@pytest.mark.parametrize(
    ("left_out", "step"),
    [
        ("CREATE SCHEMA", "Able to Access {state} Schema"),
        ("GRANT ALL ON SCHEMA", "Able to Access {state} Schema"),
        ("GRANT USAGE", "Identifiers"),
        ("GRANT SELECT ON TABLE", "Identifiers"),
    ],
)
def test_a_right_that_is_missing_is_told(granted: Granted, left_out: str, step: str) -> None:
    """By the run, and by the probe; what is told, mends it."""
    statements = granted.filled(DOCUMENTED)
    of_schema = [s for s in statements if f'SCHEMA "{granted.state}"' in s]
    kept = [s for s in statements if not s.startswith(left_out)]
    if left_out == "CREATE SCHEMA":
        kept = [s for s in kept if s not in of_schema]
    granted.run("\n".join(kept))
    with granted.source() as source:
        with pytest.raises(Terminal) as raised:
            rows_of(source, 0)
        failed = [
            r
            for r in probe(steps(granted.state), Attempt(lambda: source))
            if r.finding.verdict == "failed"
        ]
        assert [one.step for one in failed] == [step.format(state=granted.state)]
        missing = next(s for s in statements if s.startswith(left_out))
        for remedy in (raised.value.remedy, failed[0].finding.remedy):
            assert missing in remedy
        granted.run(raised.value.remedy.removeprefix("Let an administrator run: "))
        assert len(rows_of(source, 0)) == 1


@pytest.mark.parametrize(
    ("password", "broken"),
    [
        (STRONG, []),
        ("!Aa1~}|{", []),
        ("Aa1", ["it does not have 8 to 64 characters"]),
        ("Aa1" * 22, ["it does not have 8 to 64 characters"]),
        ("correct1horse", ["it has no capital letter"]),
        ("CORRECT1HORSE", ["it has no small letter"]),
        ("CorrectHorse", ["it has no digit"]),
        ("Correct1 Horse", ["it has a character that is not of ASCII's 33 to 126"]),
        ("Cörrect1Horse", ["it has a character that is not of ASCII's 33 to 126"]),
        *((f"Correct1{sign}", ["it has one of ' \" \\ / @"]) for sign in "'\"\\/@"),
        (PASSWORD, ["it has no capital letter", "it has no digit"]),
    ],
)
def test_passwords(password: str, broken: list[str]) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html"""
    assert broken_rules(password) == broken
