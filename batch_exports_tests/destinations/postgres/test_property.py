"""Every row is delivered exactly once, whatever becomes of the runs, and of the source meanwhile.

They are the same actions each time, unless `BATCH_EXPORTS_TEST_ACTIONS` says how many others each
test is to take.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from batch_exports.local import postgres_server
from batch_exports.local.postgres_server import Server
from batch_exports_tests.conftest import _reaped
from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter
from batch_exports_tests.destinations.postgres.faults.fragile import (
    allow_plain_connections,
    new_schema,
)
from batch_exports_tests.destinations.postgres.property.exporting import Exporting
from batch_exports_tests.destinations.postgres.property.run import Run
from batch_exports_tests.destinations.postgres.property.source import (
    INTERVALS,
    SHAPES,
    Draft,
    Shape,
    SourceRow,
)

OTHERS = os.environ.get("BATCH_EXPORTS_TEST_ACTIONS")
ACTIONS = int(OTHERS or 100)  # two tests, or four, are of one model
ACTIONS_A_TABLE = 25
KILLS_A_TABLE = 3  # to start a process takes long

INTERVAL = st.integers(0, len(INTERVALS) - 1)
NUMBER = st.integers(0, 59)
BAD = st.just(()) | st.just(()) | st.lists(NUMBER, min_size=1, max_size=2).map(tuple)
DRAFT = st.builds(Draft, INTERVAL, NUMBER, NUMBER, NUMBER, BAD)
RUN = st.builds(Run, INTERVAL, st.sampled_from([1, 1, 2]), st.integers(1, 5), st.integers(0, 5))


class Exports(RuleBasedStateMachine):
    """An export of one model to one table, and all that may disturb it."""

    def __init__(self, adapter: PostgresAdapter, shape: Shape, made_by_user: bool) -> None:
        super().__init__()
        self.adapter = adapter
        self.shape = shape
        self.made_by_user = made_by_user
        self.kills = 0

    @initialize(
        policy=st.sampled_from(["replace", "replace", "reject"]),
        order=st.permutations(range(len(INTERVALS))),
        drafts=st.lists(DRAFT, max_size=30),
    )
    def start(self, policy: str, order: list[int], drafts: list[Draft]) -> None:
        self.export = Exporting(self.adapter, self.shape, policy, made_by_user=self.made_by_user)
        self.order = order
        self.arrive(drafts)

    def teardown(self) -> None:
        if not hasattr(self, "export"):
            return
        try:
            if self.export.agrees:
                self.export.finish(self.order)
        finally:
            self.export.close()

    # The source

    @rule(drafts=st.lists(DRAFT, min_size=1, max_size=8))
    def arrive(self, drafts: list[Draft]) -> None:
        self.export.source.rows.extend(map(self.shape.row, drafts))

    @precondition(lambda self: self.export.source.rows)
    @rule(number=NUMBER, interval=INTERVAL)
    def arrive_again(self, number: int, interval: int) -> None:
        self.export.source.rows.append(self.shape.moved(self._pick(number), interval))

    @precondition(lambda self: self.export.source.rows)
    @rule(number=NUMBER, draft=DRAFT)
    def change(self, number: int, draft: Draft) -> None:
        row = self._pick(number)
        self.export.source.rows.remove(row)
        self.export.source.rows.append(self.shape.changed(row, draft))

    @precondition(lambda self: self.export.source.rows)
    @rule(numbers=st.lists(NUMBER, min_size=1, max_size=5))
    def vanish(self, numbers: list[int]) -> None:
        for row in {self._pick(number) for number in numbers}:
            self.export.source.rows.remove(row)

    def _pick(self, number: int) -> SourceRow:
        return self.export.source.rows[number % len(self.export.source.rows)]

    # Runs

    @rule(run=RUN)
    def deliver(self, run: Run) -> None:
        self.export.deliver(run)

    @rule(run=RUN)
    def fail(self, run: Run) -> None:
        self.export.fail(run)

    @rule(run=RUN, session=st.integers(0, 2), retry=st.booleans())
    def terminate(self, run: Run, session: int, retry: bool) -> None:
        self.export.terminate(run, session, retry=retry)

    @rule(run=RUN, after=st.integers(0, 12_000), forward=st.booleans(), retry=st.booleans())
    def cut(self, run: Run, after: int, forward: bool, retry: bool) -> None:
        self.export.cut(run, after, forward=forward, retry=retry)

    @rule(run=RUN)
    def lose_commit(self, run: Run) -> None:
        self.export.lose_commit(run)

    @precondition(lambda self: self.kills < KILLS_A_TABLE)
    @rule(run=RUN, delay=st.floats(0, 0.1), retry=st.booleans())
    def kill(self, run: Run, delay: float, retry: bool) -> None:
        self.kills += 1
        self.export.kill(run, delay, retry=retry)

    @rule(first=RUN, second=RUN, same=st.booleans(), second_fails=st.booleans())
    def run_at_once(self, first: Run, second: Run, same: bool, second_fails: bool) -> None:
        other = replace(second, interval=first.interval) if same else second
        self.export.at_once(first, other, second_fails=second_fails)

    # Others

    @rule(interval=INTERVAL)
    def audit(self, interval: int) -> None:
        self.export.audit(interval)

    @precondition(lambda self: self.export.keys)
    @rule(option=st.sampled_from(["FREEZE", "FULL", "FULL, FREEZE"]))
    def vacuum(self, option: str) -> None:
        self.export.vacuum(option)

    @precondition(lambda self: self.export.keys)
    @rule(number=NUMBER)
    def lose(self, number: int) -> None:
        self.export.lose(self.export.keys[number % len(self.export.keys)])

    @precondition(lambda self: self.export.keys and not self.shape.merges)
    @rule(number=NUMBER)
    def double(self, number: int) -> None:
        self.export.double(self.export.keys[number % len(self.export.keys)])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("property")
    with _reaped(postgres_server.__name__, folder):
        postgres_server.start(folder)
        yield allow_plain_connections(folder)


@pytest.mark.parametrize("made_by_user", [False, True], ids=["our table", "a user's table"])
@pytest.mark.parametrize("rows", SHAPES)
def test_every_row_once(rows: str, made_by_user: bool, server: Server) -> None:
    run_state_machine_as_test(
        partial(Exports, new_schema(server), SHAPES[rows], made_by_user),  # type: ignore[arg-type]
        settings=settings(
            # The first example is the simplest that there is, and shows little.
            max_examples=1 + ACTIONS // ACTIONS_A_TABLE,
            stateful_step_count=ACTIONS_A_TABLE,
            derandomize=not OTHERS,
        ),
    )
