"""Tables of the emulator: types, limits, layout, changes and merges, as Redshift has them."""

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors, sql

from batch_exports.local.redshift.create_table import create_table
from batch_exports.local.redshift.server import Emulator


@pytest.fixture(scope="module")
def session(redshift_emulator: Emulator) -> Iterator[psycopg.Connection]:
    with redshift_emulator.connect(redshift_emulator.exporter, autocommit=True) as connection:
        yield connection


@pytest.fixture
def connection(session: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A session without temporary tables."""
    session.execute("DROP TABLE IF EXISTS t")
    session.execute("DROP TABLE IF EXISTS s")
    yield session


def rows(connection: psycopg.Connection, query: str, *values: object) -> list[tuple[object, ...]]:
    return connection.execute(query.encode(), values or None).fetchall()


@pytest.mark.parametrize(
    ("type_", "fits", "too_long"),
    [
        # https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html: lengths are bytes
        ("varchar(5)", "ééx", "ééé"),
        ("varchar", "x" * 256, "x" * 255 + "é"),
        ("text", "x" * 256, "x" * 255 + "é"),
        ("varchar(max)", "é" * 32_767, "é" * 32_768),
        ("char(3)", "abc", "abcd"),
        # https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html
        ("varbyte(5)", "ééx", "ééé"),
    ],
)
def test_lengths_are_bytes(
    connection: psycopg.Connection, type_: str, fits: str, too_long: str
) -> None:
    connection.execute(f"CREATE TEMP TABLE t (a {type_})".encode())
    connection.execute("INSERT INTO t VALUES (%s)", (fits,))
    with pytest.raises(errors.StringDataRightTruncation, match="value too long for type"):
        connection.execute("INSERT INTO t VALUES (%s)", (too_long,))


def test_lengths_hold_after_changes(connection: psycopg.Connection) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html"""
    connection.execute("CREATE TEMP TABLE s (a varchar(2))")
    connection.execute("ALTER TABLE s ADD COLUMN b varchar(2) DEFAULT 'x'")
    connection.execute("ALTER TABLE s ALTER COLUMN a TYPE varchar(4)")
    connection.execute("CREATE TEMP TABLE t (LIKE s)")
    for table in ("s", "t"):
        connection.execute(f"INSERT INTO {table} VALUES ('éé', 'é')".encode())
        for values in ("'ééé', 'x'", "'x', 'éé'"):
            with pytest.raises(errors.StringDataRightTruncation):
                connection.execute(f"INSERT INTO {table} VALUES ({values})".encode())


def test_keys_are_not_enforced_but_not_null_is(connection: psycopg.Connection) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html"""
    connection.execute("CREATE TEMP TABLE t (a int PRIMARY KEY, b int UNIQUE, c int DEFAULT 7)")
    connection.execute("INSERT INTO t (a, b) VALUES (1, 1), (1, 1)")
    assert rows(connection, "SELECT * FROM t") == [(1, 1, 7)] * 2
    with pytest.raises(errors.NotNullViolation):
        connection.execute("INSERT INTO t (b) VALUES (1)")


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ('{"b": 1.50, "a": [1e2, 12345678901234567890.123], "c": 2}', None),
        ('"a  b"', None),
        (' {\n"a" :\t"x , y\\" : z" } ', '{"a":"x , y\\" : z"}'),
        ('"\\u0000é"', None),
        ("null", None),
    ],
)
def test_documents_keep_every_digit(
    connection: psycopg.Connection, document: str, shown: str | None
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_SUPER_type.html"""
    compact = shown or document.replace(": ", ":").replace(", ", ",")
    for type_ in ("varchar", "varbyte"):
        query = f"SELECT JSON_PARSE(%s::{type_}), JSON_SERIALIZE(JSON_PARSE(%s::{type_}))"
        assert rows(connection, query, document, document) == [(compact, compact)]


def test_types_of_results(connection: psycopg.Connection) -> None:
    """psycopg shows what it knows no type of as text; SUPER's number is 4000."""
    cursor = connection.execute("SELECT JSON_PARSE('[1]'), 1::bigint, 'x'::varchar")
    assert [column.type_code for column in cursor.description or ()] == [4000, 20, 1043]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        # https://docs.aws.amazon.com/redshift/latest/dg/JSON_PARSE.html
        ("{", "JSON parsing error"),
        # https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html
        (f'{{"a": "{"é" * 32_768}"}}', "65535 bytes"),
        ("[" * 1001 + "]" * 1001, "1000"),
        ("[" + "1," * 2**23 + "1]", "16MB"),
        # https://docs.aws.amazon.com/redshift/latest/dg/super-configurations.html
        ('{"a": {"b": 1, "b": 2}}', "attribute twice"),
    ],
    ids=["invalid", "long string", "deep", "large", "repeated key"],
)
def test_documents_have_limits(connection: psycopg.Connection, document: str, message: str) -> None:
    with pytest.raises(errors.InternalError_, match=message):
        connection.execute("SELECT JSON_PARSE(%s::varbyte)", (document,))
    assert rows(connection, "SELECT CAN_JSON_PARSE(%s::varbyte)", document) == [(False,)]


def test_documents_up_to_the_limits(connection: psycopg.Connection) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html"""
    for document in (f'["{"é" * 32_767}", "\\n"]', "[" * 1000 + "]" * 1000):
        assert rows(connection, "SELECT CAN_JSON_PARSE(%s::varbyte)", document) == [(True,)]


def test_repeated_keys_pass_where_one_is_to_be_kept(connection: psycopg.Connection) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/super-configurations.html"""
    connection.execute("SET json_parse_dedup_attributes TO on")
    assert rows(connection, "SELECT CAN_JSON_PARSE(%s::varbyte)", '{"a": 1, "a": 2}') == [(True,)]


def test_a_literal_is_no_document(connection: psycopg.Connection) -> None:
    """On Redshift it would become a string, silently (PostHog#25709)."""
    connection.execute("CREATE TEMP TABLE t (a super)")
    with pytest.raises(errors.DatatypeMismatch, match="JSON_PARSE"):
        connection.execute("INSERT INTO t VALUES ('{}')")
    connection.execute("INSERT INTO t SELECT '{}'::varchar")
    assert rows(connection, "SELECT JSON_SERIALIZE(a), JSON_TYPEOF(a) FROM t") == [
        ('"{}"', "string")
    ]


def test_bytes(connection: psycopg.Connection) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/varbyte-functions.html"""
    connection.execute("CREATE TEMP TABLE t (a varbyte)")
    connection.execute("INSERT INTO t VALUES ('é'), (TO_VARBYTE('c3a9', 'hex'))")
    query = "SELECT OCTET_LENGTH(a), FROM_VARBYTE(a, 'hex'), FROM_VARBYTE(a, 'utf8') FROM t"
    assert rows(connection, query) == [(2, "c3a9", "é")] * 2
    assert rows(connection, "SELECT COUNT(DISTINCT a) FROM t") == [(1,)]


def test_layout_is_shown(redshift: Emulator, redshift_schema: str) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_PG_TABLE_DEF.html: of the tables in
    search_path alone."""
    with redshift.connect(redshift.exporter, autocommit=True) as connection:
        connection.execute(
            f"CREATE TABLE {redshift_schema}.t (A bigint NOT NULL ENCODE az64, \"b c\" varchar(9),"
            ' d super) DISTKEY (a) SORTKEY ("b c", A)'
        )  # fmt: skip
        query = "SELECT * FROM pg_table_def WHERE tablename = 't' ORDER BY \"column\""
        assert rows(connection, query) == []
        connection.execute(f"SET search_path TO {redshift_schema}")
        place = (redshift_schema, "t")
        assert rows(connection, query) == [
            (*place, "a", "bigint", "az64", True, 2, True),
            (*place, "b c", "character varying(9)", "none", False, 1, False),
            (*place, "d", "super", "none", False, 0, False),
        ]
        info = "SELECT diststyle, sortkey1, sortkey_num FROM svv_table_info WHERE schema = %s"
        assert rows(connection, info, redshift_schema) == [("KEY(a)", "b c", 2)]
        described = (
            "SELECT column_name, data_type, character_maximum_length, is_nullable FROM svv_columns"
            " WHERE table_schema = %s ORDER BY ordinal_position"
        )
        assert rows(connection, described, redshift_schema) == [
            ("a", "bigint", None, "NO"),
            ("b c", "character varying", 9, "YES"),
            ("d", "super", None, "YES"),
        ]


def test_cluster_is_shown(connection: psycopg.Connection) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_STV_DB_ISOLATION_LEVEL.html and
    https://docs.aws.amazon.com/redshift/latest/dg/r_enable_large_strings_opt_in.html"""
    query = "SELECT TRIM(isolation_level) FROM stv_db_isolation_level WHERE db_name = 'dev'"
    assert rows(connection, query) == [("Snapshot Isolation",)]
    assert rows(connection, "SELECT COUNT(*) FROM stv_slices WHERE type = 'D'") == [(2,)]
    assert rows(connection, "SELECT is_large_string_enabled()") == [(False,)]


def test_merge_in_both_forms(connection: psycopg.Connection) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html"""
    connection.execute("CREATE TEMP TABLE t (a int, b varchar(9), c super)")
    connection.execute("CREATE TEMP TABLE s (LIKE t)")
    connection.execute("INSERT INTO t SELECT 1, 'old', JSON_PARSE('{}')")
    connection.execute("INSERT INTO s SELECT 1, 'new', JSON_PARSE('[]')")
    connection.execute("INSERT INTO s SELECT 2, 'new', JSON_PARSE('[]')")
    connection.execute(
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = s.b"
        " WHEN NOT MATCHED THEN INSERT (a, b, c) VALUES (s.a, s.b, s.c)"
    )
    order = "SELECT a, b, JSON_SERIALIZE(c) FROM t ORDER BY a"
    assert rows(connection, order) == [(1, "new", "{}"), (2, "new", "[]")]
    connection.execute("INSERT INTO s SELECT * FROM s")
    connection.execute("MERGE INTO t USING s ON t.a = s.a REMOVE DUPLICATES")
    assert rows(connection, order) == [(1, "new", "[]"), (2, "new", "[]")]
    with pytest.raises(errors.InternalError_, match="multiple matches"):
        connection.execute(
            "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = s.b"
            " WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.b, s.c)"
        )


def test_append_moves_all_rows(redshift: Emulator, redshift_schema: str) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE_APPEND.html"""
    with redshift.connect(redshift.exporter, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {redshift_schema}")
        connection.execute("CREATE TABLE t (a int, b int)")
        connection.execute("CREATE TABLE s AS SELECT 1 AS b, 2 AS c")
        with pytest.raises(errors.UndefinedColumn):
            connection.execute("ALTER TABLE t APPEND FROM s IGNOREEXTRA")
        connection.execute("ALTER TABLE s DROP COLUMN c")
        connection.execute("ALTER TABLE t APPEND FROM s FILLTARGET")
        assert rows(connection, "SELECT * FROM t") == [(None, 1)]
        assert rows(connection, "SELECT * FROM s") == []


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters='"'), min_size=1
).filter(lambda name: len(name.encode()) < 64 and name.lower() not in ("oid", "ctid", "xmin"))


@given(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.lower))
def test_any_names_are_columns(names: list[str]) -> None:
    """What `psycopg` quotes comes through as one column each."""
    quoted = [sql.Identifier(name).as_string(None) for name in names]
    columns = ", ".join(f"{name} varchar(10) ENCODE zstd" for name in quoted)
    made = create_table(f"CREATE TABLE t ({columns}) SORTKEY ({quoted[0]})")
    assert made.count(" varchar(10) ") == len(names)
