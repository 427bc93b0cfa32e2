"""Statements, requests and rights that Redshift or S3 refuses: what is told, and what stays."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from batch_exports.destinations.redshift.authorization import Authorization, Keys, Role
from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.local.redshift.internal_errors import s3_error
from batch_exports.local.redshift.refusal import Refusal
from batch_exports_tests.destinations.redshift.faults.statements import LEDGER, STAGE, TABLE
from batch_exports_tests.destinations.redshift.faults.trial import Trial
from batch_exports_tests.destinations.redshift.faults.ways import (
    APPEND,
    KEY,
    MERGE,
    RANGE,
    Way,
)
from batch_exports_tests.faults import SLOW_DOWN, FaultProxy, HttpFault

TryOut = Callable[[Way], Trial]

_DENIED = Refusal("42501", "permission denied for relation events")
_SLOW_DOWN = s3_error("Please reduce your request rate.", 503, "SlowDown", "S3 key being read")
_FORBIDDEN = s3_error("Access Denied", 403, "AccessDenied")
_ACCESS_DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


def assert_refused(
    trial: Trial, kind: type[BatchExportError], words: str, **changes: Any
) -> BatchExportError:
    """The run fails in these words; nothing is changed, and nothing left."""
    with pytest.raises(kind, match=words) as failure:
        trial.deliver("run-refused", **changes)
    trial.assert_unchanged()
    trial.assert_cleared()
    return failure.value


def assert_recovers(trial: Trial) -> None:
    trial.emulator.clear()
    trial.deliver()
    trial.assert_delivered()


@pytest.mark.parametrize(
    ("way", "pattern"),
    [
        (RANGE, STAGE),
        (RANGE, r'^DELETE FROM "test_\w+"."events"'),
        (KEY.by("INSERT"), TABLE),
        (MERGE, TABLE),
        (APPEND.by("INSERT"), LEDGER),
    ],
    ids=str,
)
def test_a_statement_that_is_refused(try_out: TryOut, way: Way, pattern: str) -> None:
    trial = try_out(way)
    trial.emulator.inject(pattern, _DENIED)
    refused = assert_refused(trial, Terminal, "permission denied for relation events")
    assert "GRANT" in refused.remedy
    assert_recovers(trial)


@pytest.mark.parametrize(
    ("refusal", "kind", "words"),
    [
        (_SLOW_DOWN, Transient, "SlowDown.*S3 is overloaded"),
        (_FORBIDDEN, Terminal, r"AccessDenied.*Allow .*role.*s3:GetObject"),
    ],
    ids=["503", "403"],
)
def test_s3_that_refuses_the_cluster(
    try_out: TryOut, refusal: Refusal, kind: type[BatchExportError], words: str
) -> None:
    trial = try_out(RANGE)
    trial.emulator.inject("^COPY", refusal)
    assert_refused(trial, kind, words)
    assert_recovers(trial)


@pytest.mark.parametrize(
    ("request_line", "status", "body", "kind", "words"),
    [
        ("^PUT .*/manifest$", 503, SLOW_DOWN, Transient, "SlowDown"),
        ("^POST .*uploads", 403, _ACCESS_DENIED, Terminal, "AccessDenied.*Allow these actions"),
    ],
    ids=["503", "403"],
)
def test_s3_that_refuses_the_run(
    try_out: TryOut,
    s3_line: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    request_line: str,
    status: int,
    body: bytes,
    kind: type[BatchExportError],
    words: str,
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    trial = try_out(RANGE)
    s3_line.add(HttpFault(request=request_line, status=status, body=body, times=None))
    assert_refused(trial, kind, words, endpoint=s3_line.endpoint)
    monkeypatch.undo()
    assert_recovers(trial)


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        (Keys("AKIAUNKNOWN", "a-wrong-secret"), "InvalidAccessKeyId.*Correct the keys"),
        (
            Role("arn:aws:iam::123456789012:role/unknown"),
            "not authorized to assume IAM Role arn:aws:iam::123456789012:role/unknown.*Associate",
        ),
    ],
    ids=["keys", "role"],
)
def test_rights_that_the_cluster_lacks(
    try_out: TryOut, authorization: Authorization, words: str
) -> None:
    trial = try_out(RANGE)
    refused = assert_refused(trial, Terminal, words, authorization=authorization)
    assert "a-wrong-secret" not in str(refused)
    assert_recovers(trial)


def test_keys_of_the_runs_own_that_are_wrong(try_out: TryOut) -> None:
    trial = try_out(RANGE)
    keys = ("AKIAUNKNOWN", "a-wrong-secret")
    refused = assert_refused(trial, Terminal, "InvalidAccessKeyId.*Correct", keys=keys)
    assert not re.search("a-wrong-secret", str(refused))
    assert_recovers(trial)
