"""Why a run failed, told in our own errors' words, and of others' errors by the class alone."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest

from batch_exports.automation.alerts.failure import Failure, failure_of
from batch_exports.automation.alerts.redaction import redactor
from batch_exports.errors import ConfigurationError, Terminal, Transient
from batch_exports.export import failures_for_dagster


class Busy(Transient):
    """An error of a kind that a destination has for itself."""


def terminal() -> None:
    raise Terminal("The bucket is gone.", remedy="Make it.")


def transient() -> None:
    try:
        raise TimeoutError("what a driver says")
    except TimeoutError as error:
        raise Busy("The server is: busy.", remedy="Try later.") from error


def unknown() -> None:
    raise ValueError("postgres://somebody:password@host")


@dg.io_manager
def impossible(context: dg.InitResourceContext) -> dg.IOManager:
    raise ConfigurationError("password", "it is not set.", remedy="Set it.")


@dg.io_manager
def usual(context: dg.InitResourceContext) -> dg.IOManager:
    class Writes(dg.IOManager):
        def handle_output(self, context: dg.OutputContext, obj: Callable[[], None]) -> None:
            with failures_for_dagster():
                obj()

        def load_input(self, context: dg.InputContext) -> Any: ...

    return Writes()


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.mark.parametrize(
    ("fault", "io_manager", "expected"),
    [
        (terminal, usual, Failure("Terminal", "The bucket is gone.", "Make it.")),
        (transient, usual, Failure("Transient", "The server is: busy.", "Try later.")),
        (
            unknown,
            usual,
            Failure("ValueError", "An error of the class ValueError.", "See the run's log."),
        ),
        (
            terminal,
            impossible,
            Failure("Terminal", "password: it is not set.", "Set it."),
        ),
    ],
)
def test_a_run_that_fails(
    fault: Callable[[], None],
    io_manager: dg.IOManagerDefinition,
    expected: Failure,
    instance: dg.DagsterInstance,
) -> None:
    @dg.asset(io_manager_key="io", retry_policy=dg.RetryPolicy(max_retries=1, delay=0))
    def export() -> Any:
        return fault

    definitions = dg.Definitions(assets=[export], resources={"io": io_manager})
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert failure_of(ending(instance, result.run_id)) == expected


def test_a_run_whose_process_is_gone(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(dg.GraphDefinition(name="empty").to_job())
    instance.report_run_failed(run, message="Process 17 was killed")
    failure = failure_of(ending(instance, run.run_id))
    assert (failure.kind, failure.remedy) == ("Crash", "See the run's log.")


def ending(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterEvent:
    found = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1).records
    assert found[0].run_id == run_id
    event = found[0].event_log_entry.dagster_event
    assert event
    return event


@pytest.mark.parametrize(
    "shown",
    [
        "s3cr/t+ value",
        "s3cr%2Ft%2B%20value",
        "s3cr/t%2B%20value",
        "s3cr%2Ft%2B+value",
    ],
)
def test_secrets_are_taken_out(shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", "s3cr/t+ value")
    monkeypatch.setenv("TEST_PART", "value")
    monkeypatch.setenv("TEST_EMPTY", "")
    redact = redactor({"TEST_SECRET", "TEST_PART", "TEST_EMPTY", "TEST_UNSET"})
    assert redact(f"login with {shown} failed") == "login with [secret] failed"
    assert redact("values") == "[secret]s"


def test_without_secrets_nothing_is_taken_out() -> None:
    assert redactor({"TEST_UNSET"})("as it is") == "as it is"


def test_quotes_in_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SECRET", "a\"b\\c'd")
    redact = redactor({"TEST_SECRET"})
    assert redact('{"password": "a\\"b\\\\c\'d"}') == '{"password": "[secret]"}'
    assert redact(repr({"password": "a\"b\\c'd"})).count("[secret]") == 1
