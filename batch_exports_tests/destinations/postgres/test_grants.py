"""What is not allowed comes with the statement that allows it."""

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from batch_exports.destinations.postgres.errors import postgres_errors, translate
from batch_exports.destinations.postgres.grants import missing_grant
from batch_exports.errors import Terminal
from batch_exports.local.postgres_server import Server

WHERE = "postgres://db.example.com:5432/analytics"


@pytest.fixture
def strict_database(postgres_server: Server) -> Iterator[psycopg.Connection]:
    """An administrator's connection to a database whose tables the exporter may not use."""
    with ExitStack() as stack:
        admin = stack.enter_context(postgres_server.connect(autocommit=True))
        admin.execute('DROP DATABASE IF EXISTS "A ""base"')
        admin.execute('CREATE DATABASE "A ""base"')
        stack.callback(admin.execute, 'DROP DATABASE "A ""base" WITH (FORCE)')
        owner = postgres_server.connect(dbname='A "base', autocommit=True)
        stack.enter_context(owner)
        owner.execute('REVOKE TEMPORARY ON DATABASE "A ""base" FROM PUBLIC')
        owner.execute('CREATE SCHEMA "A ""schema"; CREATE TABLE "A ""schema".t ()')
        owner.execute("CREATE SCHEMA mine; GRANT USAGE, CREATE ON SCHEMA mine TO exporter")
        owner.execute('CREATE TABLE mine."A ""table" (); CREATE SEQUENCE mine.counter')
        owner.execute("CREATE TABLE mine.guarded (id int); GRANT ALL ON mine.guarded TO exporter")
        owner.execute("ALTER TABLE mine.guarded ENABLE ROW LEVEL SECURITY")
        yield owner


@pytest.mark.parametrize(
    ("statement", "remedy"),
    [
        (
            'CREATE TABLE "A ""schema".new ()',
            'GRANT USAGE, CREATE ON SCHEMA "A ""schema" TO "exporter";',
        ),
        ('TABLE "A ""schema".t', 'GRANT USAGE, CREATE ON SCHEMA "A ""schema" TO "exporter";'),
        (
            'TABLE mine."A ""table"',
            'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "mine"."A ""table" TO "exporter";',
        ),
        (
            'DELETE FROM mine."A ""table"',
            'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "mine"."A ""table" TO "exporter";',
        ),
        (
            'ALTER TABLE mine."A ""table" ADD COLUMN a int',
            'ALTER TABLE "mine"."A ""table" OWNER TO "exporter";',
        ),
        ("SELECT nextval('mine.counter')", 'GRANT USAGE ON SEQUENCE "mine"."counter" TO'),
        ("CREATE TEMP TABLE t ()", 'GRANT TEMPORARY ON DATABASE "A ""base" TO "exporter";'),
        ("CREATE SCHEMA s", 'GRANT CREATE ON DATABASE "A ""base" TO "exporter";'),
        (
            "INSERT INTO mine.guarded VALUES (1)",
            'CREATE POLICY "exporter" ON "mine"."guarded" TO "exporter" USING (true) '
            "WITH CHECK (true);",
        ),
        ("SET session_replication_role = replica", 'GRANT USAGE, CREATE ON SCHEMA "mine" TO "exp'),
    ],
)
def test_what_is_not_allowed_comes_with_its_grant(
    strict_database: psycopg.Connection, postgres_server: Server, statement: str, remedy: str
) -> None:
    """The remedy is run as it stands, and the statement then succeeds."""
    user = postgres_server.exporter
    with postgres_server.connect(user, dbname='A "base', autocommit=True) as exporter:
        with pytest.raises(psycopg.Error) as raised:
            exporter.execute(statement)
        found = translate(raised.value, WHERE, user=user.user, schema="mine")
        assert isinstance(found, Terminal)
        assert "42501" in found.message
        assert found.remedy.startswith("Let an administrator run: ")
        assert remedy in found.remedy
        if "replication" in statement:  # nothing that an export does
            return
        strict_database.execute(found.remedy.removeprefix("Let an administrator run: "))
        if statement == 'TABLE "A ""schema".t':
            return  # the table is the next thing that is not allowed
        exporter.execute(statement)


def test_a_database_that_lets_nobody_in(
    strict_database: psycopg.Connection, postgres_server: Server
) -> None:
    strict_database.execute('REVOKE CONNECT ON DATABASE "A ""base" FROM PUBLIC')
    user = postgres_server.exporter
    with pytest.raises(Terminal) as raised, postgres_errors(WHERE, user=user.user):
        postgres_server.connect(user, dbname='A "base')
    assert raised.value.remedy.endswith('run: GRANT CONNECT ON DATABASE "A ""base" TO "exporter";')
    with (
        pytest.raises(Terminal, match='"nowhere" does not exist') as raised,
        postgres_errors(WHERE),
    ):
        postgres_server.connect(user, dbname="nowhere")
    assert "connection's database" in raised.value.remedy


def test_who_and_where_may_be_unknown() -> None:
    assert missing_grant("permission denied for table t", None, None) == (
        'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE <schema>."t" TO <user>;'
    )


def test_another_language_gets_all_that_an_export_needs() -> None:
    assert missing_grant("keine Berechtigung für Schema s", "u", "s") == (
        'GRANT USAGE, CREATE ON SCHEMA "s" TO "u"; '
        'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "s" TO "u";'
    )
