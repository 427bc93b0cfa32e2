"""Every statement that reaches Redshift is one of its dialect, as sqlfluff's grammar has it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from sqlfluff.core import Linter

from batch_exports.local import seaweedfs
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.destinations.redshift.administered import (
    BY_KEY,
    BY_RANGE,
    MERGED,
    administered,
    script,
    unique,
)
from batch_exports_tests.destinations.redshift.tried import findings

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "redshift.md"
_LITERAL = re.compile(r"'(?:[^'\\]|''|\\.)*'", re.DOTALL)
_CHANGING = re.compile(r"[0-9a-f]{8}|\d+")
# Each has to come up, or deliveries were not seen as a whole.
_KINDS = {
    *("alter table", "begin", "commit", "copy", "create schema", "create table", "create temp"),
    *("create user", "delete from", "drop table", "grant", "insert into", "lock table"),
    *("merge into", "rollback", "select", "set"),
}


@pytest.fixture(scope="module")
def linter() -> Linter:
    return Linter(dialect="redshift")


def test_all_statements_of_deliveries(
    redshift: Emulator, s3_server: seaweedfs.Server, linter: Linter
) -> None:
    seen: list[str] = []
    with administered(redshift, s3_server) as cluster:
        for way, mode, projection in (
            ("COPY", "replace", BY_RANGE),
            ("INSERT", "replace", BY_KEY),
            ("INSERT", "merge", MERGED),
            ("INSERT", "append", BY_RANGE),
        ):
            keys = {"dist_key": projection.model.key[0], "sort_key": projection.model.key}
            destination = cluster.destination(user := unique(), mode, projection, way=way, **keys)
            seen.append(script(destination, user, with_tables=True))
            cluster.set_up(destination, user, with_tables=False)
            cluster.deliver(destination)
        cluster.execute(f"ALTER TABLE {destination.name.sql.as_string()} DROP COLUMN ip")
        cluster.deliver(replace(destination, on_missing_column="add"))
        findings(cluster.connection(user=user), destination)
        seen += redshift.statements
    assert {kind for kind in _KINDS for text in seen if kind in text.lower()} == _KINDS
    assert refused(linter, seen) == []


def test_the_documentations_statements(linter: Linter) -> None:
    blocks = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    assert refused(linter, blocks) == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING",
        "COPY t FROM STDIN (FORMAT BINARY)",
        "CREATE TABLE t (a int) DISTKEY a",
    ],
)
def test_what_is_of_another_dialect_is_found(linter: Linter, statement: str) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_commands.html"""
    assert refused(linter, [statement]) == [statement]


def refused(linter: Linter, statements: list[str]) -> list[str]:
    """Those that do not parse; of those that differ in literals and numbers alone, one."""
    kinds = {_CHANGING.sub("0", _LITERAL.sub("''", text)): text for text in statements}
    return [text for text in kinds.values() if not parses(linter, text)]


def parses(linter: Linter, statement: str) -> bool:
    # A parameter is a value that comes with the statement.
    parsed = linter.parse_string(re.sub(r"\$\d+", "NULL", statement))
    return parsed.tree is not None and not parsed.violations
