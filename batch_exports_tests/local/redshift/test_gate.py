"""What the emulator refuses, statement by statement, with the page of AWS that says so."""

import pytest

from batch_exports.local.redshift.gate import RULES, check
from batch_exports.local.redshift.quotation import fold
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.statements import Passed, plan

GUIDE = "https://docs.aws.amazon.com/redshift/latest/dg/"
FEATURES = "c_unsupported-postgresql-features.html"
FUNCTIONS = "c_unsupported-postgresql-functions.html"
TYPES = "c_unsupported-postgresql-datatypes.html"

REFUSED = [
    ("r_INSERT_30.html", "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING"),
    ("r_INSERT_30.html", "INSERT INTO t VALUES (1) RETURNING a"),
    ("r_INSERT_30.html", "WITH s AS (SELECT 1) INSERT INTO t SELECT * FROM s"),
    ("r_COPY.html", "COPY t FROM STDIN"),
    ("r_COPY.html", "COPY t TO STDOUT (FORMAT BINARY)"),
    (FUNCTIONS, "SAVEPOINT a"),
    (FUNCTIONS, "ROLLBACK TO SAVEPOINT a"),
    ("r_DEALLOCATE.html", "DEALLOCATE ALL"),
    ("r_EXPLAIN.html", "EXPLAIN ANALYZE SELECT 1"),
    ("c_SQL_commands.html", "DO 'BEGIN END'"),
    ("c_SQL_commands.html", "LISTEN a"),
    (FEATURES, "CREATE UNIQUE INDEX i ON t (a)"),
    (FEATURES, "CREATE TRIGGER x BEFORE INSERT ON t EXECUTE FUNCTION f()"),
    (FEATURES, "CREATE SEQUENCE s"),
    (FEATURES, "CREATE UNLOGGED TABLE t (a int)"),
    ("r_LOCK.html", "LOCK TABLE t IN SHARE MODE"),
    ("r_LOCK.html", "LOCK t NOWAIT"),
    ("r_SELECT_list.html", "SELECT DISTINCT ON (a) a FROM t"),
    ("r_SELECT_synopsis.html", "SELECT a FROM t FOR UPDATE"),
    ("r_FROM_clause30.html", "SELECT * FROM t, LATERAL (SELECT t.a) AS x"),
    ("r_WITH_clause.html", "WITH x AS MATERIALIZED (SELECT 1) SELECT * FROM x"),
    ("r_WITH_clause.html", "WITH x AS (DELETE FROM t) SELECT 1"),
    ("c_Aggregate_Functions.html", "SELECT count(*) FILTER (WHERE a > 1) FROM t"),
    (FEATURES, "SELECT * FROM (VALUES (1), (2)) AS x (a)"),
    (FEATURES, "SELECT * FROM t WHERE (a, b) > (c, d)"),
    (FEATURES, 'SELECT * FROM t WHERE (t."a", t.b) = (SELECT 1, 2)'),
    (FEATURES, "SELECT ROW(1, 2)"),
    (FEATURES, "SELECT ARRAY[1, 2]"),
    (FUNCTIONS, "SELECT * FROM t WHERE a IS DISTINCT FROM b"),
    (FUNCTIONS, "SELECT STRING_AGG(a, ',') FROM t"),
    (FUNCTIONS, "SELECT * FROM generate_series(1, 9)"),
    (FUNCTIONS, "SELECT pg_try_advisory_xact_lock(1)"),
    (FUNCTIONS, "SELECT clock_timestamp()"),
    (TYPES, "SELECT '{}'::jsonb"),
    (TYPES, "SELECT CAST(a AS uuid) FROM t"),
    (TYPES, "SELECT a::int[] FROM t"),
    ("c_redshift-and-postgres-sql.html", r"SELECT E'a\n'"),
    ("r_CREATE_TABLE_NEW.html", "CREATE TABLE t (a int) PARTITION BY RANGE (a)"),
    ("r_CREATE_TABLE_NEW.html", "CREATE TEMP TABLE t (a int) ON COMMIT DROP"),
    ("r_CREATE_TABLE_NEW.html", "CREATE TABLE t (a int GENERATED ALWAYS AS (1) STORED)"),
    ("r_CREATE_TABLE_NEW.html", "CREATE TABLE t (LIKE s INCLUDING ALL)"),
    (FEATURES, "CREATE TABLE t (a int, CHECK (a > 0))"),
    (FEATURES, "CREATE TABLE t (a int CHECK (a > 0))"),
    (FEATURES, "CREATE TABLE t (a int) INHERITS (s)"),
    ("r_names.html", "CREATE TABLE t (OID int)"),
    *((TYPES, f"CREATE TABLE t (a {type_}, b int)") for type_ in (
        "jsonb", "JSON", "uuid", "bytea", "serial", "bigserial", "inet", "money", "int[]",
        "hstore", "xml", "bit(3)", "tsvector",
    )),
    ("r_Character_types.html", "CREATE TABLE t (a varchar(65536))"),
    ("r_Character_types.html", "CREATE TABLE t (a char(4097))"),
    ("r_Numeric_types201.html", "CREATE TABLE t (a numeric(39, 0))"),
    ("r_VARBYTE_type.html", "CREATE TABLE t (a varbyte(16777217))"),
    ("limitations-super.html", "CREATE TABLE t (a super distkey)"),
    ("limitations-super.html", "CREATE TABLE t (a int, b super) SORTKEY (a, b)"),
    ("r_ALTER_TABLE.html", "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int"),
    ("r_ALTER_TABLE.html", "ALTER TABLE IF EXISTS t ADD COLUMN a int"),
    ("r_ALTER_TABLE.html", "ALTER TABLE t ADD COLUMN a int, ADD COLUMN b int"),
    ("r_ALTER_TABLE.html", "ALTER TABLE t ADD COLUMN a int NOT NULL"),
    ("r_ALTER_TABLE.html", "ALTER TABLE t ALTER COLUMN a SET NOT NULL"),
    ("r_ALTER_TABLE.html", "ALTER TABLE t ALTER COLUMN a TYPE int"),
    ("r_ALTER_TABLE.html", "ALTER TABLE t DROP COLUMN IF EXISTS a"),
    ("r_MERGE.html", "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE"),
    ("r_MERGE.html", "MERGE INTO t USING s ON t.a = s.a WHEN NOT MATCHED THEN INSERT VALUES (1)"),
    (
        "r_MERGE.html",
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED AND s.b THEN DELETE "
        "WHEN NOT MATCHED THEN INSERT VALUES (1)",
    ),
    ("r_MERGE.html", "MERGE INTO t USING (SELECT 1 AS a) AS s ON t.a = s.a REMOVE DUPLICATES"),
    ("r_MERGE.html", "MERGE INTO t USING s ON t.a > s.a REMOVE DUPLICATES"),
    (
        "r_MERGE.html",
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET t.a = 1 "
        "WHEN NOT MATCHED THEN INSERT VALUES (1)",
    ),
    ("cm_chap_ConfigurationRef.html", "SET lock_timeout TO '1s'"),
    ("cm_chap_ConfigurationRef.html", "SET LOCAL synchronous_commit = off"),
]  # fmt: skip

TAKEN = [
    "INSERT INTO t VALUES ('ON CONFLICT RETURNING', 1)",
    'SELECT "on conflict" FROM t -- RETURNING',
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "INSERT INTO t (a, b) VALUES (1, 2), (3, 4)",
    "INSERT INTO t (a, b) SELECT a, greatest(a, b) FROM s WHERE greatest(a, b) > 3",
    "DELETE FROM t USING s WHERE t.a = s.a",
    "UPDATE t SET a = s.a FROM s WHERE t.b = s.b",
    "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS n FROM t) AS x",
    "SELECT COUNT(DISTINCT a), SUM(CASE WHEN a = 'x' THEN 1 ELSE 0 END) FROM t",
    "CREATE TABLE t (a int IDENTITY(1, 1) ENCODE az64, b varchar(max) DEFAULT 'x' NOT NULL,"
    " PRIMARY KEY (a)) DISTSTYLE KEY DISTKEY (a) COMPOUND SORTKEY (a, b)",
    "CREATE TEMP TABLE t (LIKE s INCLUDING DEFAULTS)",
    "CREATE TEMP TABLE t DISTKEY (a) AS SELECT 1 AS a",
    "LOCK TABLE t",
    "LOCK t, s",
    "VACUUM DELETE ONLY t TO 75 PERCENT",
    "ANALYZE t PREDICATE COLUMNS",
    "SET query_group TO 'exports'",
    "SET statement_timeout = 1000",
    "GRANT ASSUMEROLE ON 'arn:aws:iam::1:role/x' TO u FOR COPY",
    "GRANT CREATE, USAGE ON SCHEMA s TO u",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO u",
    "CREATE VIEW v AS SELECT 1 AS a WITH NO SCHEMA BINDING",
]


@pytest.mark.parametrize(("page", "statement"), REFUSED)
def test_refused(page: str, statement: str) -> None:
    """The page has what there is instead of `statement`, or says that there is no such thing."""
    with pytest.raises(Refusal) as caught:
        plan(statement, in_transaction=False)
    assert caught.value.code in ("42601", "0A000", "42883", "42704", "22023", "42701"), page


@pytest.mark.parametrize("statement", TAKEN)
def test_taken(statement: str) -> None:
    assert isinstance(plan(statement, in_transaction=True), Passed)


def test_every_rule_refuses_something_and_says_why() -> None:
    for rule in RULES:
        assert rule.source.startswith(GUIDE)
    refused = {page for page, _ in REFUSED}
    assert {rule.page for rule in RULES} - refused <= {"r_PREPARE.html", "r_CREATE_TABLE_AS.html"}


def test_gate_looks_past_quotes() -> None:
    check("SELECT 'it''s \\' RETURNING' AS \"returning\" /* FOR UPDATE */")


@pytest.mark.parametrize("change", ["APPEND FROM s", "ALTER COLUMN a TYPE varchar(300)"])
def test_not_within_a_transaction(change: str) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html and r_ALTER_TABLE_APPEND"""
    plan(f"ALTER TABLE t {change}", in_transaction=False)
    with pytest.raises(Refusal, match="transaction block"):
        plan(f"ALTER TABLE t {change}", in_transaction=True)


def test_names_are_folded_and_limited() -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_names.html"""
    assert fold("SELECT \"MiXed É\", 'MiXed'") == "SELECT \"mixed É\", 'MiXed'"
    for name, message in (("x" * 64, "this emulator"), ("x" * 128, "127 at most")):
        for spelled in (name, f'"{name}"'):
            with pytest.raises(Refusal, match=message):
                fold(f"SELECT {spelled}")
    fold(f"SELECT {'x' * 63}, '{'x' * 200}'")
