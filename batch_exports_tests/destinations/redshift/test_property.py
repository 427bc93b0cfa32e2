"""Every row is delivered exactly once, whatever becomes of the runs, and of the source meanwhile.

They are the same actions each time, unless `BATCH_EXPORTS_TEST_ACTIONS` says how many others each
test is to take.
"""

import os
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from batch_exports.destinations.redshift import isolation
from batch_exports.local.postgres_server import Server
from batch_exports.local.redshift.server import Emulator
from batch_exports_tests.destinations.property.expected import Entry
from batch_exports_tests.destinations.property.machine import Exports
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.redshift.property.place import RedshiftPlace
from batch_exports_tests.destinations.redshift.property.shapes import SHAPES
from batch_exports_tests.destinations.redshift.property.tables import ByKeys

OTHERS = os.environ.get("BATCH_EXPORTS_TEST_ACTIONS")
ACTIONS = ACTIONS_A_TABLE = {"COPY": 7, "INSERT": 12}
KILLS_A_TABLE = {"COPY": 0, "INSERT": 1}  # a killed run's hold on S3 lasts too long


class RedshiftExports(Exports):
    def finish(self) -> None:
        super().finish()
        if isinstance(self.export.state.table, ByKeys) and not self.export.tampered:
            self.check_keys()

    def check_keys(self) -> None:
        """Once all was delivered twice, something is red exactly when the table is not the
        source's, and the ledger tells how many rows should not be there.

        Keys that stand in several intervals of the source take each other's place, of which no
        delivery but the first tells.
        """
        export, source = self.export, self.export.source
        key = self.shape.projection.model.key
        intervals = Counter(
            landed for n in self.order for landed in {row.landed(key) for row in source.of(n)}
        )
        if any(times > 1 for times in intervals.values()):
            return
        for _ in range(2):
            export.redeliver(self.order)
        table = export.state.table
        assert isinstance(table, ByKeys)
        sent = Counter(export.state.landing(Entry("", tuple(source.rows))))
        held = Counter(held.landed for held in table.held)
        assert sent <= held
        assert table.left_behind == held.total() - sent.total()
        problems = [export.problems(interval) for interval in self.order]
        assert any(problems) == (held != sent)


@pytest.mark.parametrize("mode", ["COPY", "INSERT"])
@pytest.mark.parametrize("rows", SHAPES)
def test_every_row_once(
    rows: str,
    mode: str,
    by_copy: RedshiftAdapter,
    redshift: Emulator,
    postgres_server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(isolation, "_FIRST_PAUSE_SECONDS", 0.01)
    place = RedshiftPlace(by_copy.by(mode), redshift, postgres_server)

    def begin() -> Exports:
        return RedshiftExports(place, SHAPES[rows], kills=KILLS_A_TABLE[mode])

    run_state_machine_as_test(
        begin,  # type: ignore[arg-type]  # any that makes a machine will do
        settings=settings(
            # The first example is the simplest that there is, and shows little.
            max_examples=1 + int(OTHERS or ACTIONS[mode]) // ACTIONS_A_TABLE[mode],
            stateful_step_count=ACTIONS_A_TABLE[mode],
            derandomize=not OTHERS,
        ),
    )
