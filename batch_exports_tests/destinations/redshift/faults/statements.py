"""Something happens at the moment at which the emulator gets a statement."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from batch_exports.local.redshift import session
from batch_exports.local.redshift.server import Emulator
from batch_exports.local.redshift.statements import Passed, Plan, plan

STAGE = r'^(COPY|INSERT INTO) "_batch_exports_stage"'
TABLE = r'^(INSERT|MERGE) INTO "test_\w+"."events"'
LEDGER = r'^INSERT INTO "test_\w+"."_batch_exports_ledger"'
COMMIT = "^COMMIT"


@contextmanager
def upon(
    emulator: Emulator, pattern: str | tuple[str, ...], do: Callable[[], object]
) -> Iterator[list[str]]:
    """`do` is called once, before the emulator obeys; what it raises but Refusal ends the session.
    Of several patterns, it is called at the last, once the others came one after another.

    It runs in the emulator's own thread, so the emulator answers nobody meanwhile. Yields the
    statement, once it has come.
    """
    faults = emulator.cluster.faults
    strike, met = faults.strike, list[str]()
    expected = [pattern] if isinstance(pattern, str) else list(pattern)

    def meet(statement: str) -> None:
        if expected and re.search(expected[0], statement, re.S):
            expected.pop(0)
            if not expected:
                met.append(statement)
                do()
        strike(statement)

    faults.strike = meet  # type: ignore[method-assign]
    try:
        yield met
    finally:
        faults.strike = strike  # type: ignore[method-assign]


def hang_up() -> None:
    """The server ends the session, and what was sent last does not happen."""
    raise ConnectionAbortedError


def add_to(monkeypatch: pytest.MonkeyPatch, pattern: str, addition: str) -> None:
    """A server that does a little more than it was told to, after each such statement."""

    def plan_more(statement: str, in_transaction: bool) -> Plan:
        planned = plan(statement, in_transaction)
        if isinstance(planned, Passed) and re.search(pattern, statement, re.S):
            return Passed(f"{planned.text}; {addition}")
        return planned

    monkeypatch.setattr(session, "plan", plan_more)
