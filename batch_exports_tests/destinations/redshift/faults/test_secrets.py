"""Keys and passwords are told to nobody but the server that needs them."""

import logging
import traceback
from collections.abc import Callable

import pytest

from batch_exports.destinations.redshift.authorization import Keys
from batch_exports.errors import Terminal
from batch_exports.local.redshift.internal_errors import s3_error
from batch_exports_tests.destinations.redshift.faults.statements import STAGE, upon
from batch_exports_tests.destinations.redshift.faults.trial import Trial
from batch_exports_tests.destinations.redshift.faults.ways import RANGE, Way

TryOut = Callable[[Way], Trial]


def test_keys_are_told_to_copy_alone(
    try_out: TryOut, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """In no other statement, in no application's name, error or log; and only while COPY runs."""
    trial = try_out(RANGE)
    caplog.set_level(logging.DEBUG)
    id_, secret = trial.adapter.keys
    keys = Keys(id_, secret)
    shown = list[str]()

    def look() -> None:
        query = "SELECT application_name, query FROM pg_stat_activity"
        shown.extend(str(row) for row in trial.execute(query))

    trial.emulator.inject("^COPY", s3_error("Access Denied", 403, "AccessDenied"))
    with (
        upon(trial.emulator, STAGE, look),
        pytest.raises(Terminal, match="the keys that COPY is given") as failure,
    ):
        trial.deliver("run-refused", authorization=keys)
    trial.deliver(authorization=keys)
    trial.assert_delivered()
    told = [s for s in trial.emulator.statements if secret in s]
    assert told
    assert all(statement.startswith("COPY") for statement in told)
    password = trial.adapter.connection["password"]
    texts = [
        *traceback.format_exception(failure.value),
        *shown,
        *capfd.readouterr(),
        caplog.text,
        repr(keys),
    ]
    assert not any(hidden in text for text in texts for hidden in (secret, password))
