"""Steps are tried in their order; one that fails ends the trial, and says what to do."""

import pytest

from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.probe import Finding, Result, Step, passed, probe, skipped, warning


def fail(error: BatchExportError) -> Finding:
    raise error


def test_each_step_is_tried() -> None:
    steps = [
        Step("first", lambda subject: passed(f"{subject} is there")),
        Step("second", lambda _: skipped("not of use")),
        Step[str]("third", lambda _: warning("slow", remedy="Hurry.")),
    ]
    assert list(probe(steps, "it")) == [
        Result("first", Finding("passed", "it is there")),
        Result("second", Finding("skipped", "not of use")),
        Result("third", Finding("warning", "slow", "Hurry.")),
    ]


def test_what_comes_after_a_failure_is_skipped() -> None:
    steps = [
        Step("first", lambda _: passed("good")),
        Step("second", lambda _: fail(Terminal("It is closed.", remedy="Open it."))),
        Step[None]("third", lambda _: pytest.fail("it was tried")),
    ]
    assert [result.finding for result in probe(steps, None)] == [
        Finding("passed", "good"),
        Finding("failed", "It is closed.", "Open it."),
        Finding("skipped", "since 'second' failed"),
    ]


def test_nothing_is_tried_again() -> None:
    error = Transient("It is busy.", remedy="It is tried again. If it stays, see its log.")
    [result] = probe([Step("only", lambda _: fail(error))], None)
    assert result.finding.remedy == "Try again. If it stays, see its log."


def test_other_errors_are_faults_of_the_step() -> None:
    with pytest.raises(ZeroDivisionError):
        list(probe([Step("only", lambda _: passed(str(1 // 0)))], None))
