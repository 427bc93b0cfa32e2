"""ClickHouse's errors by number, and what becomes of them."""

import ssl

import pytest
import urllib3
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.sources.clickhouse.errors import clickhouse_errors

CODES = {
    "Code: 60. DB::Exception: Table posthog.event does not exist. (UNKNOWN_TABLE)": (
        Terminal, "Table posthog.event does not exist (code 60)", "database",
    ),
    "Code: 497. DB::Exception: exporter: Not enough privileges. To execute this query, it's "
    "necessary to have the grant SELECT(id) ON posthog.person. (ACCESS_DENIED)": (
        Terminal, "grant SELECT(id) ON posthog.person (code 497)", "GRANT SELECT",
    ),
    "Code: 516. DB::Exception: exporter: Authentication failed: password is incorrect, or there "
    "is no user with such name. (AUTHENTICATION_FAILED) (version 26.9.2.1)": (
        Terminal, "no user with such name (code 516)", "user and password",
    ),
    "Code: 164. DB::Exception: Cannot modify 'max_block_size' setting in readonly mode. "
    "(READONLY)": (Terminal, "(code 164)", "readonly = 2"),
    "Code: 159. DB::Exception: Timeout exceeded: elapsed 5 seconds. (TIMEOUT_EXCEEDED)": (
        Terminal, "elapsed 5 seconds (code 159)", "max_execution_time",
    ),
    "Code: 241. DB::Exception: Memory limit (for query) exceeded: 9 GiB. (MEMORY_LIMIT_EXCEEDED)": (
        Terminal, "(code 241)", "max_memory_usage",
    ),
    "Code: 241. DB::Exception: (total) memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)": (
        Transient, "(code 241)", "tried again",
    ),
    "Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)": (
        Transient, "(code 202)", "fewer queries",
    ),
    "Code: 394. DB::Exception: Query was cancelled. (QUERY_WAS_CANCELLED)": (
        Transient, "(code 394)", "system.query_log",
    ),
    "Code: 6. DB::Exception: Cannot parse string 's3cret of a row' as UInt64: syntax error: In "
    "scope SELECT toUInt64(x). (CANNOT_PARSE_TEXT)": (Terminal, "string '...' as", "query"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CODES.items(), ids=[one[:40] for one in CODES])
def test_by_number(text: str, expected: tuple[type[BatchExportError], str, str]) -> None:
    kind, message, remedy = expected
    told = f"Received ClickHouse exception, server response: {text} (for url http://a:8123)"
    with pytest.raises(kind) as raised, clickhouse_errors("there"):
        raise DatabaseError(told, code=int(text[6:].partition(".")[0]))
    assert raised.type is kind
    assert raised.value.message.startswith("there: ")
    assert message in raised.value.message
    assert remedy in raised.value.remedy
    for unwanted in ("s3cret", "SELECT toUInt64", "version", "http://"):
        assert unwanted not in str(raised.value)


def untrusted() -> Exception:
    error = urllib3.exceptions.SSLError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed certificate")
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (urllib3.exceptions.ProtocolError("Connection broken"), Transient),
        (urllib3.exceptions.ReadTimeoutError(None, "", "timed out"), Transient),  # type: ignore[arg-type]
        (ConnectionResetError(104, "reset"), Transient),
        (urllib3.exceptions.MaxRetryError(None, "", untrusted()), Terminal),
        (DatabaseError("HTTP driver received HTTP status 502, server response: Bad"), Transient),
        (DatabaseError("HTTP driver received HTTP status 404, server response: No"), Terminal),
    ],
)
def test_of_the_line(error: Exception, kind: type[BatchExportError]) -> None:
    with pytest.raises(kind, match="there: "), clickhouse_errors("there"):
        raise error
    if not isinstance(error, DatabaseError):
        with pytest.raises(kind, match="there: "), clickhouse_errors("there"):
            raise OperationalError("Error executing HTTP request") from error
