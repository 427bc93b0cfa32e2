"""Every row is delivered exactly once, whatever becomes of the runs, and of the source meanwhile.

They are the same actions each time, unless `BATCH_EXPORTS_TEST_ACTIONS` says how many others each
test is to take.
"""

import os
from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from batch_exports.local import postgres_server
from batch_exports.local.postgres_server import Server
from batch_exports_tests.conftest import _reaped
from batch_exports_tests.destinations.postgres.faults.fragile import (
    allow_plain_connections,
    new_schema,
)
from batch_exports_tests.destinations.postgres.property.place import PostgresPlace
from batch_exports_tests.destinations.postgres.property.real_table import PostgresTable
from batch_exports_tests.destinations.postgres.property.shapes import SHAPES
from batch_exports_tests.destinations.property.machine import Exports
from batch_exports_tests.destinations.property.real_table import RealTable

OTHERS = os.environ.get("BATCH_EXPORTS_TEST_ACTIONS")
ACTIONS = int(OTHERS or 25)  # two tests, or four, are of one model
ACTIONS_A_TABLE = 25
KILLS_A_TABLE = 3


Vacuum = Literal["FREEZE", "FULL", "FULL, FREEZE"]


class PostgresExports(Exports):
    @precondition(lambda self: self.export.keys)
    @rule(option=st.sampled_from(["FREEZE", "FULL", "FULL, FREEZE"]))
    def vacuum(self, option: Vacuum) -> None:
        def vacuum(table: RealTable) -> None:
            assert isinstance(table, PostgresTable)
            table.vacuum(option)

        self.export.tamper(vacuum)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("property")
    with _reaped(postgres_server.__name__, folder):
        postgres_server.start(folder)
        yield allow_plain_connections(folder)


@pytest.mark.parametrize("made_by_user", [False, True], ids=["our table", "a user's table"])
@pytest.mark.parametrize("rows", SHAPES)
def test_every_row_once(rows: str, made_by_user: bool, server: Server) -> None:
    place = PostgresPlace(new_schema(server), made_by_user)

    def begin() -> Exports:
        return PostgresExports(place, SHAPES[rows], kills=KILLS_A_TABLE)

    run_state_machine_as_test(
        begin,  # type: ignore[arg-type]  # any that makes a machine will do
        settings=settings(
            # The first example is the simplest that there is, and shows little.
            max_examples=1 + ACTIONS // ACTIONS_A_TABLE,
            stateful_step_count=ACTIONS_A_TABLE,
            derandomize=not OTHERS,
        ),
    )
