"""Errors say whether to act or to wait, with the remedy, and show neither rows nor secrets."""

import re
import threading
import traceback
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors
from psycopg.pq import DiagnosticField

from batch_exports.destinations.postgres.errors import postgres_errors, translate
from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.local.postgres_server import Server

WHERE = "postgres://db.example.com:5432/analytics"
ROW = "planted-row"
TABLES = f"""
CREATE TABLE wanted (
    id int NOT NULL PRIMARY KEY, short varchar(3), number int, json jsonb,
    word text CHECK (word <> '{ROW}'), at timestamptz
);
CREATE TABLE owner (id int REFERENCES wanted);
CREATE TABLE parted (id int, word text) PARTITION BY LIST (id);
CREATE TABLE moody (mood text);
CREATE VIEW seen AS SELECT 1 AS id;
CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'a row of %', NEW.mood; END $$;
CREATE TRIGGER judge BEFORE INSERT ON moody FOR EACH ROW EXECUTE FUNCTION judge();
CREATE TABLE logged (word text);
CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO not_there VALUES (NEW.word); RETURN NEW; END $$;
CREATE TRIGGER log BEFORE INSERT ON logged FOR EACH ROW EXECUTE FUNCTION log();
"""


@pytest.fixture
def connection(postgres_server: Server, postgres_schema: str) -> Iterator[psycopg.Connection]:
    """The exporter's, with tables in a schema of its own."""
    with postgres_server.connect(postgres_server.exporter, autocommit=True) as connection:
        connection.execute(f"SET search_path = {postgres_schema}")
        connection.execute(TABLES)
        yield connection


def failure(connection: psycopg.Connection, statement: str, copied: str = "") -> BatchExportError:
    """What a statement ends in; `copied` is what a COPY sends."""
    with pytest.raises(BatchExportError) as raised, postgres_errors(WHERE, user="exporter"):
        run(connection, statement, copied)
    found = raised.value
    assert found.message.startswith(f"{WHERE}: ")
    assert found.message.endswith(".")
    shown = "".join(traceback.format_exception(found)) + repr(found)
    assert ROW not in shown
    return found


def run(connection: psycopg.Connection, statement: str, copied: str) -> None:
    if copied:
        with connection.cursor().copy(statement) as copy:
            copy.write(copied)
    else:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "words", "remedy"),
    [
        ("TABLE nowhere", ['relation "nowhere" does not exist', "42P01"], "Create the table"),
        ("CREATE TABLE nowhere.t ()", ["3F000"], "Create the schema"),
        ("SELECT other FROM wanted", ['column "other"', "42703"], "Add the column"),
        ("CREATE TABLE t (a nothing)", ['type "nothing"', "42704"], "knows"),
        (f"INSERT INTO wanted VALUES (NULL, '{ROW}')", ["22001"], "ALTER COLUMN ... TYPE text"),
        (f"INSERT INTO wanted(word) VALUES ('a{ROW}')", ["23502", "column id"], "Drop NOT NULL"),
        (
            f"INSERT INTO wanted(id, word) VALUES (1, 'a{ROW}'), (1, '')",
            ["23505", "table wanted", "constraint wanted_pkey"],
            "Drop the unique constraint",
        ),
        (
            f"INSERT INTO wanted(id, word) VALUES (1, '{ROW}')",
            ["23514", "constraint wanted_word_check"],
            "Change the check constraint",
        ),
        ("INSERT INTO owner VALUES (9)", ["23503", "owner_id_fkey"], "Drop the foreign key"),
        (f"INSERT INTO parted VALUES (9, '{ROW}')", ["23514"], "attach the missing partition"),
        (f"INSERT INTO moody VALUES ('{ROW}')", ["P0001", "a trigger"], "server's log"),
        (f"INSERT INTO logged VALUES ('{ROW}')", ["42P01", "not_there"], "Let the trigger name it"),
        (f"SELECT '{ROW}'::int", ["22P02", "type integer"], "documented type"),
        (f"SELECT 'x\" {ROW} \"y'::int", ["22P02", 'type integer: "..." ('], "documented type"),
        (f"""SELECT '["{ROW}"'::jsonb""", ["22P02", "type json"], "documented type"),
        (r"""SELECT '"\u0000"'::jsonb""", ["22P05"], "no database's JSON holds"),
        (f"SELECT '{ROW}'::timestamptz", ["22007"], "documented type"),
        ("SELECT 9999999999::int", ["22003", "integer out of range"], "wider type"),
        ("SELECT '9999999999'::int", ["22003"], "wider type"),
        ("INSERT INTO wanted(json) SELECT 1", ["42804", "jsonb"], "documented type"),
        ("INSERT INTO seen VALUES (1)", ["55000"], "Give a plain table"),
        (
            "INSERT INTO wanted VALUES (1) ON CONFLICT (short) DO NOTHING",
            ["42P10"],
            "a primary key or a unique index on the model's key",
        ),
        (
            "INSERT INTO wanted VALUES (1), (1) ON CONFLICT (id) DO UPDATE SET number = 1",
            ["21000"],
            "model's key",
        ),
        (f"SELECT repeat('{ROW}', 100000000)", ["54000"], "smaller intervals"),
        ("SET statement_timeout = '20ms'; SELECT pg_sleep(60)", ["57014"], "statement_timeout_sec"),
        ("SELECT 1 +", ["42601"], "See PostgreSQL's documentation of this SQLSTATE"),
    ],
)
def test_what_the_user_must_act_on(
    connection: psycopg.Connection, statement: str, words: list[str], remedy: str
) -> None:
    found = failure(connection, statement)
    assert isinstance(found, Terminal)
    assert remedy in found.remedy
    for word in words:
        assert word in found.message


@pytest.mark.parametrize(
    ("columns", "copied", "words"),
    [
        ("id, short", f"1\tabc\n2\t{ROW}\n", ["22001", "column short", "COPY line 2"]),
        ("id, number", f"1\t{ROW}\n", ["22P02", "column number", "COPY line 1"]),
        ("id, json", f'1\t{{"a": {ROW}}}\n', ["22P02", "column json", "COPY line 1"]),
        ("id, word", f"1\ta\n\\N\t{ROW}\n", ["23502", "table wanted", "column id", "COPY line 2"]),
        ("id, word", f"1\t{ROW}\n", ["23514", "wanted_word_check", "COPY line 1"]),
        ("id, word", f"1\t{ROW}x\n1\t{ROW}x\n", ["23505", "wanted_pkey", "COPY line 2"]),
        ("id, word", f"{ROW}\n", ["22P02", "column id"]),
        ("id, word", "1\n", ["22P04", "COPY line 1"]),
    ],
)
def test_a_row_of_a_copy_is_told_by_its_line(
    connection: psycopg.Connection, columns: str, copied: str, words: list[str]
) -> None:
    found = failure(connection, f"COPY wanted ({columns}) FROM STDIN", copied)
    assert isinstance(found, Terminal)
    for word in words:
        assert word in found.message


def test_a_deadlock_may_be_tried_again(
    connection: psycopg.Connection, postgres_server: Server, postgres_schema: str
) -> None:
    connection.execute("CREATE TABLE a (); CREATE TABLE b ()")
    path = f"SET search_path = {postgres_schema}; SET deadlock_timeout = '20ms'"
    with postgres_server.connect() as one, postgres_server.connect() as other:
        one.execute(f"{path}; LOCK TABLE a")
        other.execute(f"{path}; LOCK TABLE b")
        found = list[BatchExportError]()

        def lock(each: psycopg.Connection, table: str) -> None:
            try:
                with postgres_errors(WHERE):
                    each.execute(f"LOCK TABLE {table}")
            except BatchExportError as error:
                found.append(error)
                each.rollback()

        waiting = threading.Thread(target=lock, args=(one, "b"))
        waiting.start()
        lock(other, "a")
        waiting.join()
    assert [type(error) for error in found] == [Transient]
    assert "40P01" in found[0].message


def test_a_conflict_of_serializable_transactions_may_be_tried_again(
    connection: psycopg.Connection, postgres_server: Server
) -> None:
    connection.execute("INSERT INTO wanted VALUES (1)")
    with postgres_server.connect(postgres_server.exporter) as other:
        other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        schema = connection.execute("SHOW search_path").fetchone()
        other.execute(f"SET search_path = {(schema or ('',))[0]}")
        other.execute("TABLE wanted")
        connection.execute("UPDATE wanted SET number = 2")
        found = failure(other, "UPDATE wanted SET number = 3")
    assert isinstance(found, Transient)
    assert "40001" in found.message


def test_a_session_that_is_ended_may_be_tried_again(
    connection: psycopg.Connection, postgres_server: Server
) -> None:
    with postgres_server.connect(autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
    for _ in range(2):  # once by the server's word, then because the line is closed
        assert isinstance(failure(connection, "SELECT 1"), Transient)


def test_too_many_sessions_may_be_tried_again(
    connection: psycopg.Connection, postgres_server: Server
) -> None:
    with postgres_server.connect(autocommit=True) as admin:
        admin.execute("CREATE USER crowded PASSWORD 'p' CONNECTION LIMIT 0")
        with (
            pytest.raises(Transient, match="too many connections") as raised,
            postgres_errors(WHERE),
        ):
            postgres_server.connect(user="crowded", password="p")
        admin.execute("DROP USER crowded")
    assert "let fewer runs at once" in raised.value.remedy


def test_a_transaction_that_may_not_write(connection: psycopg.Connection) -> None:
    found = failure(connection, "SET transaction_read_only = on; CREATE TABLE t ()")
    assert isinstance(found, Transient)
    assert "25006" in found.message
    assert "primary's host" in found.remedy


def test_a_table_that_another_run_creates_at_the_same_time(
    connection: psycopg.Connection, postgres_server: Server, postgres_schema: str
) -> None:
    with postgres_server.connect() as other:
        other.execute(f"CREATE TABLE {postgres_schema}.t ()")

        def commit_once_awaited() -> None:
            query = "SELECT cardinality(pg_blocking_pids(%s))"
            while other.execute(query, [connection.info.backend_pid]).fetchone() == (0,):
                pass
            other.commit()

        waiting = threading.Thread(target=commit_once_awaited)
        waiting.start()
        found = failure(connection, "CREATE TABLE IF NOT EXISTS t ()")
        waiting.join()
    assert isinstance(found, Transient)
    assert "Another run created it meanwhile" in found.remedy


@pytest.mark.parametrize(
    ("sqlstate", "kind", "words"),
    [
        ("08006", Transient, "network"),
        ("25P03", Transient, "paused"),
        ("28P01", Terminal, "user and password"),
        ("3D000", Terminal, "database"),
        ("53100", Terminal, "Free space"),
        ("53200", Transient, "more memory"),
        ("53300", Transient, "fewer runs"),
        ("53400", Terminal, "temp_file_limit"),
        ("57P01", Transient, "server's log"),
        ("57P02", Transient, "server's log"),
        ("57P03", Transient, "server's log"),
        ("57P04", Terminal, "database"),
        ("58030", Terminal, "storage"),
        ("XX000", Terminal, "documentation"),
        ("XX001", Terminal, "damaged"),
    ],
)
def test_what_a_test_cannot_make_happen(
    sqlstate: str, kind: type[BatchExportError], words: str
) -> None:
    found = translate(errors.lookup(sqlstate)("it says so"), WHERE)
    assert type(found) is kind
    assert found.message == f"{WHERE}: it says so (SQLSTATE {sqlstate})."
    assert words in found.remedy


def test_every_sqlstate_has_a_remedy() -> None:
    for sqlstate in errors._sqlcodes:
        if re.fullmatch("[0-9A-Z]{5}", sqlstate):  # the others are their names
            found = translate(errors.lookup(sqlstate)("it says so"), WHERE)
            assert found.remedy.endswith((".", ";"))


@given(
    value=st.text(),
    quotes=st.sampled_from(['""', "''", "«»", "„“", "“”", "『』", "``"]),
    padding=st.sampled_from(["", " "]),
)
def test_values_are_shown_in_no_language(value: str, quotes: str, padding: str) -> None:
    text = f"Eingabe für integer: {quotes[0]}{padding}{value}{ROW}{value}{padding}{quotes[1]}, nein"
    info = {DiagnosticField.SQLSTATE: b"22P02", DiagnosticField.MESSAGE_PRIMARY: text.encode()}
    found = translate(psycopg.DataError(text, info={k.value: v for k, v in info.items()}), WHERE)
    assert ROW not in str(found)
    assert "Eingabe für integer: " in found.message


def test_what_the_driver_refuses_is_our_fault(connection: psycopg.Connection) -> None:
    with pytest.raises(Terminal, match="placeholders") as raised, postgres_errors(WHERE):
        connection.execute("SELECT %s", [1, 2])
    assert "Report it" in raised.value.remedy
    with pytest.raises(Terminal) as raised, postgres_errors(WHERE):
        connection.execute("SELECT %s", [f"{ROW}\0"])
    assert ROW not in str(raised.value)


def test_our_own_errors_pass() -> None:
    ours = Terminal("m", remedy="r")
    with pytest.raises(Terminal) as raised, postgres_errors(WHERE):
        raise ours
    assert raised.value is ours
