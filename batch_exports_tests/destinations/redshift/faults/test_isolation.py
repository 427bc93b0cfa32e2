"""Transactions that Redshift ends for what others did: error 1023.

https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation-serializable-isolation-troubleshooting.html
"""

import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from batch_exports.destinations.redshift import isolation
from batch_exports.errors import Transient
from batch_exports_tests.destinations.redshift.faults.statements import (
    COMMIT,
    LEDGER,
    STAGE,
    TABLE,
)
from batch_exports_tests.destinations.redshift.faults.trial import Trial
from batch_exports_tests.destinations.redshift.faults.ways import (
    APPEND,
    KEY,
    MERGE,
    RANGE,
    Way,
)

TryOut = Callable[[Way], Trial]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_FIRST_PAUSE_SECONDS", 0.001)


def transactions(trial: Trial) -> list[str]:
    """The statement after each BEGIN."""
    statements = trial.emulator.statements
    return [after for begin, after in pairwise(statements) if begin.startswith("BEGIN")]


@pytest.mark.parametrize(
    ("way", "pattern"),
    [
        (RANGE, "^LOCK"),
        (KEY.by("INSERT"), TABLE),
        (MERGE.by("INSERT"), TABLE),
        (APPEND, LEDGER),
        (RANGE.by("INSERT"), COMMIT),
        (KEY, COMMIT),
    ],
    ids=str,
)
def test_a_transaction_ended_once(try_out: TryOut, way: Way, pattern: str) -> None:
    """It is tried again as a whole, from its LOCK on; rows are staged once."""
    trial = try_out(way)
    trial.emulator.inject(pattern)
    trial.deliver()
    assert [s.startswith("LOCK TABLE") for s in transactions(trial)] == [True, True]
    staged = [s for s in trial.emulator.statements if re.search(STAGE, s)]
    assert len(staged) == 1
    trial.assert_delivered()


@pytest.mark.parametrize(("way", "pattern"), [(RANGE, COMMIT), (KEY.by("INSERT"), TABLE)], ids=str)
def test_a_transaction_ended_each_time(try_out: TryOut, way: Way, pattern: str) -> None:
    trial = try_out(way)
    trial.emulator.inject(pattern, times=None)
    with pytest.raises(Transient, match=r"1023.*ISOLATION LEVEL SNAPSHOT"):
        trial.deliver()
    assert len(transactions(trial)) == 6
    trial.assert_unchanged()
    trial.assert_cleared()
    trial.emulator.clear()
    trial.deliver()
    trial.assert_delivered()
