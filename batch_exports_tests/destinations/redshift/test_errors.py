"""Errors say whether to act or to wait, with the remedy, and show neither rows nor secrets."""

import json
import re
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors

from batch_exports.destinations.redshift.authorization import (
    Authorization,
    ConnectionKeys,
    DefaultRole,
    Keys,
    Role,
)
from batch_exports.destinations.redshift.bucket_rights import trust_policy
from batch_exports.destinations.redshift.errors import redshift_errors, translate
from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.local.redshift.faults import ISOLATION_VIOLATION
from batch_exports.local.redshift.internal_errors import internal_error, s3_error, scan_error
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.server import Emulator

WHERE = "redshift://db.example.com:5439/analytics"
ROW = "planted-row"
STAGE = "s3://my-stage/redshift/"
ROLE = "arn:aws:iam::123456789012:role/copy"


@pytest.fixture
def connection(redshift: Emulator, redshift_schema: str) -> Iterator[psycopg.Connection]:
    with redshift.connect(redshift.exporter, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {redshift_schema}")
        yield connection


def failure(connection: psycopg.Connection, statement: str, **known: Any) -> BatchExportError:
    """What a statement ends in."""
    with pytest.raises(BatchExportError) as raised, redshift_errors(WHERE, **known):
        connection.execute(statement)
    found = raised.value
    assert found.message.startswith(f"{WHERE}: ")
    shown = "".join(traceback.format_exception(found)) + repr(found)
    assert ROW not in shown
    return found


@pytest.mark.parametrize(
    ("refused", "kind", "words", "remedy"),
    [
        # https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation-serializable-isolation-troubleshooting.html
        (ISOLATION_VIOLATION, Transient, "1023, Serializable isolation", "LEVEL SNAPSHOT"),
        (Refusal("XX000", "1018", "Relation does not exist."), Transient, "1018, Rel", "no other"),
        (Refusal("40P01", "deadlock detected"), Transient, "deadlock", "no other program"),
        # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
        (s3_error("Please reduce your request rate.", 503, "SlowDown"), Transient, "503", "S3 is"),
        (s3_error("We encountered an error", 500, "InternalError"), Transient, "500", "S3 is"),
        (
            scan_error("Task failed due to an internal error. HTTP response error code: 503"),
            Transient,
            "Task failed",
            "S3 is overloaded",
        ),
        (s3_error("none", 404, "NoSuchBucket"), Terminal, "NoSuchBucket", "Create the bucket"),
        (s3_error("gone", 404, "NoSuchKey"), Transient, "NoSuchKey", "lifecycle"),
        (
            Refusal("XX000", "The specified S3 prefix 'a' does not exist"),
            Transient,
            "prefix 'a'",
            "lifecycle",
        ),
        (s3_error("moved", 301, "PermanentRedirect"), Terminal, "301", "cluster's own region"),
        (s3_error("old", 400, "ExpiredToken"), Transient, "ExpiredToken", "renew"),
        (s3_error("no", 403, "InvalidAccessKeyId"), Terminal, "403", "Correct the keys"),
        (s3_error("no", 403, "SignatureDoesNotMatch"), Terminal, "403", "Correct the keys"),
        # https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
        (
            scan_error(f"File 'https://b.s3.amazonaws.com/k?X-Amz-Signature={ROW} has an "
                       "incompatible Parquet schema for column 's3://b/k.a'."),
            Terminal,
            "incompatible Parquet schema",
            "documented type",
        ),
        (
            scan_error("The length of the data column event is longer than the length defined in "
                       "the table. Table: 200, Data: 201"),
            Terminal,
            "column event",
            "TYPE varchar",
        ),
        # https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html
        (
            internal_error("String value exceeds the max size of 65535 bytes.", 8001, ROW),
            Terminal,
            "65535 bytes",
            "large strings",
        ),
        # https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-sql.html
        (
            Refusal("42601", "Statement is too large. Statement Size: 20971754 bytes."),
            Terminal,
            "20971754",
            "mode: COPY",
        ),
        (
            Refusal("XX000", "Load into table 't' failed.  Check 'stl_load_errors' for details."),
            Terminal,
            "table 't' failed",
            "sys_load_error_detail",
        ),
        (
            Refusal("42P01", "Cannot COPY into nonexistent table t"),
            Terminal,
            "nonexistent table t",
            "Create the table",
        ),
        # https://docs.aws.amazon.com/redshift/latest/dg/r_statement_timeout.html
        (
            Refusal("57014", "Query (150) canceled on user's request"),
            Terminal,
            "Query (150)",
            "statement_timeout_seconds",
        ),
        # https://docs.aws.amazon.com/redshift/latest/dg/cm-c-wlm-query-monitoring-rules.html
        (
            Refusal("57014", 'Query (1) cancelled by WLM abort action of Query Monitoring Rule'),
            Terminal,
            "WLM abort",
            "batch_exports*",
        ),
        (internal_error("Disk Full", 1016, "node: 0"), Terminal, "Disk Full: node: 0", "VACUUM"),
        (Refusal("53100", "disk full"), Terminal, "53100", "VACUUM"),
        (Refusal("53200", "out of memory"), Transient, "53200", "more memory"),
        # https://docs.aws.amazon.com/redshift/latest/mgmt/amazon-redshift-limits.html
        (
            Refusal("53300", "connection limit 500 exceeded for non-bootstrap users"),
            Transient,
            "limit 500",
            "fewer runs",
        ),
        (Refusal("53300", "sorry"), Transient, "53300", "fewer runs"),
        (Refusal("57P01", "terminating connection"), Transient, "57P01", "server's log"),
        (Refusal("57P03", "the database system is starting up"), Transient, "57P03", "paused"),
        (Refusal("25006", "cannot execute INSERT"), Transient, "25006", "resized"),
        (Refusal("28000", "password authentication failed"), Terminal, "28000", "iam"),
        (Refusal("3D000", 'database "x" does not exist'), Terminal, "3D000", "database"),
        (Refusal("0A000", "not supported"), Terminal, "0A000", "Report it"),
        (Refusal("22001", f"value '{ROW}' too long"), Terminal, "22001", "in bytes"),
        (Refusal("23502", "Cannot insert a NULL value"), Terminal, "23502", "take NULL"),
        (internal_error(f'Invalid "{ROW}" at 1', 8001, ROW), Terminal, 'Invalid "..."', "STL_E"),
    ],
)  # fmt: skip
def test_what_a_cluster_refuses(
    connection: psycopg.Connection,
    redshift: Emulator,
    refused: Refusal,
    kind: type[BatchExportError],
    words: str,
    remedy: str,
) -> None:
    redshift.inject("SELECT 4711", refused)
    found = failure(connection, "SELECT 4711")
    assert type(found) is kind
    assert words in found.message
    assert f"(SQLSTATE {refused.code})." in found.message
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("statement", "words", "remedy"),
    [
        ("SELECT * FROM nowhere", "42P01", "Create the table"),
        ("SELECT nothing", "42703", "Add the column"),
        ("CREATE TABLE nowhere.t (a int)", "3F000", "Create the schema"),
        ("CREATE TABLE pg_catalog.t (a int)", "42501", 'GRANT USAGE, CREATE ON SCHEMA "pg_catal'),
        ("SELECT 1 +", "42601", "Report it"),
        (f"CREATE TEMP TABLE t AS SELECT '{ROW}'::int", "22P02", "documented type"),
    ],
)
def test_what_a_real_statement_ends_in(
    connection: psycopg.Connection, statement: str, words: str, remedy: str
) -> None:
    found = failure(connection, statement, user="exporter", schema="exports")
    assert isinstance(found, Terminal)
    assert words in found.message
    assert remedy in found.remedy


# https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-access-permissions.html
DENIED = s3_error("Access Denied", 403, "AccessDenied,Rid 1,ExtRid 2,CanRetry 1")
NAMED = s3_error(
    f"User: arn:aws:sts::1:assumed-role/copy/s is not authorized to perform: s3:GetObject on "
    f'resource: "{STAGE}x"', 403, "AccessDenied",
)  # fmt: skip


@pytest.mark.parametrize(
    ("refused", "authorization", "words"),
    [
        (DENIED, Role(ROLE), [f"Allow the role {ROLE} to read"]),
        (DENIED, DefaultRole(), ["Allow the cluster's default role to read"]),
        (DENIED, Keys("A", ROW), ["Allow the keys that COPY is given to read"]),
        (
            DENIED,
            ConnectionKeys("archive", lambda: Keys("A", ROW)),
            ["Allow the keys of the connection archive to read"],
        ),
        (NAMED, Role(ROLE), ["It lacks s3:GetObject."]),
        (
            Refusal("XX000", "COPY with MANIFEST parameter requires full path of an S3 object."),
            Role(ROLE),
            [f"Allow the role {ROLE}"],
        ),
        (scan_error("File 'x'. HTTP response error code: 403 Message: AccessDenied"), None, []),
    ],
)
def test_a_bucket_that_may_not_be_read(
    connection: psycopg.Connection,
    redshift: Emulator,
    refused: Refusal,
    authorization: Authorization | None,
    words: list[str],
) -> None:
    redshift.inject("SELECT 4711", refused)
    found = failure(connection, "SELECT 4711", authorization=authorization, stage=STAGE)
    assert isinstance(found, Terminal)
    for word in [*words, '"arn:aws:s3:::my-stage/redshift/*"', "s3:ListBucket", "kms:Decrypt"]:
        assert word in found.remedy


def test_a_bucket_is_named_by_the_server_where_nobody_else_does(
    connection: psycopg.Connection, redshift: Emulator
) -> None:
    context = "S3 key being read : s3://other/key.parquet"
    redshift.inject("SELECT 4711", s3_error("Access Denied", 403, "AccessDenied", context))
    found = failure(connection, "SELECT 4711")
    assert context in found.message
    assert '"arn:aws:s3:::other"' in found.remedy


@pytest.mark.parametrize(
    "said",
    [
        f"User arn:aws:redshift:eu-west-1:1:dbuser:c is not authorized to assume IAM Role {ROLE}.",
        f"exception name : UnauthorizedException, error type : 135, message: Not authorized to get "
        f"credentials of role {ROLE}, should retry : 0",
    ],
)
def test_a_role_that_may_not_be_assumed(
    connection: psycopg.Connection, redshift: Emulator, said: str
) -> None:
    """https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service.html"""
    redshift.inject("SELECT 4711", internal_error(said, 8001, f"IAM Role={ROLE}"))
    found = failure(connection, "SELECT 4711", authorization=Role(ROLE), stage=STAGE)
    assert isinstance(found, Terminal)
    assert f"Associate {ROLE} with the cluster" in found.remedy
    trusted = trust_policy()["Statement"][0]["Principal"]["Service"]
    assert trusted == ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]
    assert json.dumps(trust_policy()) in found.remedy


def test_a_cluster_without_a_default_role(
    connection: psycopg.Connection, redshift: Emulator
) -> None:
    redshift.inject("SELECT 4711", Refusal("XX000", "The default IAM role is not set"))
    found = failure(connection, "SELECT 4711", authorization=DefaultRole())
    assert isinstance(found, Terminal)
    assert "authorization: {role_arn: ...}" in found.remedy


def test_a_session_that_is_ended_may_be_tried_again(
    redshift: Emulator,
) -> None:
    with redshift.connect(redshift.exporter, autocommit=True) as connection:
        ended = threading.Thread(target=connection.pgconn.finish)
        ended.start()
        ended.join()
        assert isinstance(failure(connection, "SELECT 1"), Transient)


def test_every_sqlstate_has_a_remedy() -> None:
    for sqlstate in errors._sqlcodes:
        if re.fullmatch("[0-9A-Z]{5}", sqlstate):  # the others are their names
            found = translate(errors.lookup(sqlstate)("it says so"), WHERE)
            assert found.remedy.endswith((".", ";"))


@given(value=st.text(), before=st.sampled_from(["", "Invalid ", "x: "]))
def test_values_that_internal_errors_quote_are_not_shown(value: str, before: str) -> None:
    found = translate(errors.InternalError_(f'{before}"{value}{ROW}{value}" near'), WHERE)
    assert ROW not in str(found)
