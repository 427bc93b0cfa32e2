"""Sources, sessions and lines that break while rows are on their way, and around the commit."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from batch_exports.errors import Transient
from batch_exports.local import seaweedfs
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.server import serving
from batch_exports_tests.conftest import ROLE_ARN
from batch_exports_tests.destinations.redshift.faults.statements import (
    COMMIT,
    LEDGER,
    STAGE,
    TABLE,
    hang_up,
    upon,
)
from batch_exports_tests.destinations.redshift.faults.trial import Trial
from batch_exports_tests.destinations.redshift.faults.ways import (
    APPEND,
    KEY,
    MERGE,
    RANGE,
    Way,
)
from batch_exports_tests.destinations.suite import SourceFailed, fail
from batch_exports_tests.faults import FaultProxy, HttpFault, TcpFault

TryOut = Callable[[Way], Trial]


@pytest.mark.parametrize("way", [RANGE, KEY.by("INSERT")], ids=str)
def test_a_source_that_fails_halfway(try_out: TryOut, way: Way) -> None:
    trial = try_out(way)
    with pytest.raises(SourceFailed):
        trial.deliver("run-failed", amid=fail)
    trial.assert_unchanged()
    trial.assert_cleared()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", [RANGE, RANGE.by("INSERT")], ids=str)
def test_a_session_that_an_administrator_ends(try_out: TryOut, way: Way) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/PG_TERMINATE_BACKEND.html"""
    trial = try_out(way)

    def end() -> None:
        for pid in trial.sessions():
            trial.execute("SELECT pg_terminate_backend(%s)", pid)

    with pytest.raises(Transient, match="terminating connection"):
        trial.deliver("run-ended", amid=end)
    trial.assert_unchanged()
    trial.assert_cleared()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize(
    ("way", "pattern"),
    [
        (RANGE, STAGE),
        (MERGE.by("INSERT"), STAGE),
        (KEY, TABLE),
        (RANGE.by("INSERT"), LEDGER),
        (MERGE, COMMIT),
        (APPEND.by("INSERT"), COMMIT),
    ],
    ids=str,
)
def test_a_statement_that_never_arrives(try_out: TryOut, way: Way, pattern: str) -> None:
    trial = try_out(way)
    with upon(trial.emulator, pattern, hang_up) as met, pytest.raises(Transient, match="closed"):
        trial.deliver()
    assert met
    trial.assert_unchanged()
    trial.assert_cleared()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize(
    ("way", "pattern"),
    [(RANGE, STAGE), (RANGE, TABLE), (KEY.by("INSERT"), LEDGER)],
    ids=str,
)
def test_an_answer_that_is_lost(try_out: TryOut, line: FaultProxy, way: Way, pattern: str) -> None:
    trial = try_out(way)

    def cut() -> None:
        line.add(TcpFault(direction="down", do="reset"))

    with upon(trial.emulator, pattern, cut), pytest.raises(Transient, match="closed"):
        trial.deliver(**trial.through(line.port))
    trial.assert_unchanged()
    trial.assert_cleared()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", [KEY, MERGE.by("INSERT"), APPEND], ids=str)
def test_a_commit_whose_answer_is_lost(try_out: TryOut, line: FaultProxy, way: Way) -> None:
    """The run fails though all is there; trying it again adds nothing."""
    trial = try_out(way)

    def cut() -> None:
        line.add(TcpFault(direction="down", do="reset"))

    with upon(trial.emulator, COMMIT, cut), pytest.raises(Transient, match="closed"):
        trial.deliver(**trial.through(line.port))
    trial.assert_delivered()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", [RANGE, RANGE.by("INSERT")], ids=str)
def test_a_server_that_goes(
    try_out: TryOut, postgres_server: Server, s3_server: seaweedfs.Server, way: Way
) -> None:
    trial = try_out(way)
    keys = (s3_server.admin.access_key_id, s3_server.admin.secret_access_key)
    with ExitStack() as stack:
        emulator = stack.enter_context(
            serving(postgres_server, s3_server.endpoint, {ROLE_ARN: keys})
        )
        with pytest.raises(Transient, match="closed"):
            trial.deliver("run-left", amid=stack.close, **trial.through(emulator.port))
    trial.assert_unchanged()
    trial.assert_cleared()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize(
    "request_line",
    ["^PUT .*/lock.json$", r"^PUT .*partNumber=1", "^PUT .*/manifest$"],
    ids=["lock", "part", "manifest"],
)
def test_a_line_to_s3_that_breaks(
    try_out: TryOut,
    s3_line: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    request_line: str,
) -> None:
    """However often it is tried; what cannot be swept now is by the next run."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    trial = try_out(RANGE)
    cut = s3_line.add(HttpFault(request=request_line, do="reset", times=None))
    with pytest.raises(Transient, match="does not answer"):
        trial.deliver("run-cut", endpoint=s3_line.endpoint)
    assert cut.hits > 1
    trial.assert_unchanged()
    monkeypatch.undo()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize("way", [APPEND], ids=str)
def test_s3_that_goes_once_copy_has_read(
    try_out: TryOut, s3_line: FaultProxy, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    """What was read is delivered; the files wait for the next run to sweep them."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    trial = try_out(way)

    def go() -> None:
        s3_line.add(HttpFault(request="^(GET|DELETE) ", do="reset", times=None))

    with upon(trial.emulator, COMMIT, go):
        trial.deliver(endpoint=s3_line.endpoint)
    assert trial.state()["rows"] == trial.expected()
    monkeypatch.undo()
    trial.deliver()
    trial.assert_delivered()
