"""What ClickHouse's errors mean to the user: act, or let it be tried again."""

import http.client
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import urllib3

from batch_exports.errors import BatchExportError, Terminal, Transient

# What no retry cures, by number, each with what the user can do.
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
_QUERY = "Correct the model's query."
_LIMIT = "Raise the limit by the source's settings, or export smaller intervals."
_TERMINAL = {
    36: "See that the tables are those of a PostHog that is up to date, dictionaries among them.",
    46: "Correct the model's query, or update ClickHouse.",
    47: "Correct the model's query, or update PostHog: its tables lack the column.",
    60: "Correct the connection's database, or the model's table.",
    62: _QUERY,
    81: "Correct the connection's database.",
    115: "Correct the source's settings.",
    158: _LIMIT,
    # A query would run into the same limit again, after the same time.
    159: "Raise max_execution_time by the source's settings, or export smaller intervals.",
    164: "Let the user change settings: give it a profile with readonly = 2.",
    192: "Correct the connection's user and password.",
    193: "Correct the connection's user and password.",
    194: "Correct the connection's user and password.",
    195: "Let the user log in from this machine's address.",
    291: "Let an administrator GRANT SELECT on the database to the user.",
    307: _LIMIT,
    396: _LIMIT,
    452: "Leave the setting out of the source's settings, or have its constraint changed.",
    497: "Let an administrator GRANT SELECT on the table to the user, and dictGet on "
    "channel_definition_dict for the sessions' channel_type.",
    516: "Correct the connection's user and password.",
    746: "Correct the connection's user and password.",
}
# What may pass by itself, with what to do if it stays.
_TRANSIENT = {
    3: "see the server's log.",
    32: "see the server's log.",
    201: "have the user's quota raised.",
    202: "let fewer queries run at once.",
    209: "check the network between the servers.",
    210: "check the network between the servers.",
    236: "see the server's log.",
    241: "give the server more memory, or let fewer queries run at once.",
    242: "see the server's log: its connection to Keeper is lost.",
    243: "free space on the server's disk.",
    279: "check the network between the servers.",
    285: "bring the server's replicas up.",
    369: "bring the server's replicas up.",
    394: "see in system.query_log who ended the query.",
    439: "let fewer queries run at once.",
    700: "let fewer queries run at once.",
    999: "see the server's log: its connection to Keeper is lost.",
}
_OWN_MEMORY = "for user|for query"
_MEMORY_REMEDY = "Raise max_memory_usage by the source's settings, or export smaller intervals."
_EXCEPTION = re.compile(r"Code: (\d+)\. DB::Exception: (.*)", re.DOTALL)
# Behind the message itself: the whole query, the step that failed, the server's version. They are
# long, and quote values.
_REST = re.compile(
    r":? In scope .*|: [Ww]hile (?:executing|processing) .*|: \([Ww]hile .*"
    r"|\s*\(version .*|\s*\(for url .*|\n\d+ \w+\r?\n__exception__.*",
    re.DOTALL,
)
_NAME = re.compile(r"\s*\([A-Z][A-Z0-9_]+\)\s*$")
_VALUE = re.compile(r"'(?:[^'\\]|\\.)*'")
_LONGEST = 400
# These quote the values at which a query failed.
_OF_VALUES = {6, 26, 27, 33, 38, 41, 69, 70, 72, 130, 131, 153, 376, 395, 407, 691}


@contextmanager
def clickhouse_errors(where: str) -> Iterator[None]:
    """Raise errors of the driver and the network as ours, with the place and the remedy, never a
    credential, nor a value of a row."""
    from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415, optional

    try:
        yield
    except ClickHouseError as error:
        raise _of_driver(error, where) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise lost(where, error) from None


def exception_in(body: bytes, where: str) -> BatchExportError | None:
    """The error that stands in the last bytes of an answer that had begun well; None without one.

    https://clickhouse.com/docs/interfaces/http#http_response_codes_caveats
    """
    found = list(re.finditer(rb"Code: \d+\. DB::Exception: ", body))
    text = body[found[-1].start() :] if found else b"\0"
    # In the midst of rows it would be a value, with Arrow's zeros behind it.
    return None if b"\0" in text else _of_server(text.decode(errors="replace"), where)


def received(error: Exception) -> bytes:
    """What had come of an answer before a connection broke, and did not reach its reader."""
    found = [one.partial for one in _chain(error) if isinstance(one, http.client.IncompleteRead)]
    return next((part for part in found if isinstance(part, bytes)), b"")


def lost(where: str, error: Exception | None = None) -> BatchExportError:
    """The error for a connection that broke, or for an answer that ended too soon."""
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = getattr(cause, "verify_message", cause)
            return Terminal(
                f"{where}: the server does not prove who it is: {why}.",
                remedy="Give the certificate of its authority in the connection's ca_cert, or "
                "correct the host.",
            )
    told = f": {type(error).__name__}" if error else ", and its answer is not whole"
    return Transient(
        f"{where}: the connection was lost{told}.",
        remedy="It is tried again. If it stays, check host, port and network.",
    )


def broken(where: str, error: Exception) -> BatchExportError:
    """The error for an answer that is no Arrow stream, though nothing in it says why."""
    return Transient(
        f"{where}: the answer cannot be read: {str(error)[:_LONGEST]}.",
        remedy="It is tried again. If it stays, see the server's log.",
    )


def _of_driver(error: Exception, where: str) -> BatchExportError:
    text = str(error)
    if _EXCEPTION.search(text):
        return _of_server(text, where)
    if (code := getattr(error, "code", None)) is not None:
        return _of_code(code, text[:_LONGEST], where)
    if error.__cause__ is not None:
        return lost(where, error.__cause__ if isinstance(error.__cause__, Exception) else None)
    if status := re.search(r"HTTP status (\d+)", text):
        problem = f"{where}: something before the server answers with HTTP {status[1]}."
        if int(status[1]) >= 500 or int(status[1]) == 429:
            return Transient(problem, remedy="It is tried again. If it stays, see its log.")
        return Terminal(problem, remedy="Correct host and port: it is ClickHouse's HTTP port.")
    return Terminal(
        f"{where}: {text[:_LONGEST]}.", remedy="Correct the connection, or the source's settings."
    )


def _of_server(text: str, where: str) -> BatchExportError:
    found = _EXCEPTION.search(text)
    assert found
    code = int(found[1])
    message = _NAME.sub("", _REST.sub("", found[2]).strip()).rstrip(". ")
    if code in _OF_VALUES:
        message = _VALUE.sub("'...'", message)
    return _of_code(code, message[:_LONGEST], where)


def _of_code(code: int, message: str, where: str) -> BatchExportError:
    told = f"{where}: {message} (code {code})."
    if code == 241 and re.search(_OWN_MEMORY, message):
        return Terminal(told, remedy=_MEMORY_REMEDY)
    if remedy := _TERMINAL.get(code):
        return Terminal(told, remedy=remedy)
    if remedy := _TRANSIENT.get(code):
        return Transient(told, remedy=f"It is tried again. If it stays, {remedy}")
    return Terminal(told, remedy=f"{_QUERY} See also ClickHouse's documentation of this code.")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        reason = getattr(error, "reason", None)
        error = (
            reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__
        )
