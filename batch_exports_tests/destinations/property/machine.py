"""Actions in any order: rows arrive, change and vanish; runs deliver them, fail, and are killed."""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from batch_exports_tests.destinations.property.exporting import Exporting
from batch_exports_tests.destinations.property.place import Place
from batch_exports_tests.destinations.property.run import Run
from batch_exports_tests.destinations.property.source import INTERVALS, Draft, Shape, SourceRow

INTERVAL = st.integers(0, len(INTERVALS) - 1)
NUMBER = st.integers(0, 59)
BAD = st.just(()) | st.just(()) | st.lists(NUMBER, min_size=1, max_size=2).map(tuple)
DRAFT = st.builds(Draft, INTERVAL, NUMBER, NUMBER, NUMBER, BAD)
RUN = st.builds(Run, INTERVAL, st.sampled_from([1, 1, 2]), st.integers(1, 5), st.integers(0, 5))


class Exports(RuleBasedStateMachine):
    """An export of one model to one table, and all that may disturb it."""

    def __init__(self, place: Place, shape: Shape, *, kills: int) -> None:
        """To start a process takes long: so many are killed at most."""
        super().__init__()
        self.place = place
        self.shape = shape
        self.kills = kills

    @initialize(
        policy=st.sampled_from(["replace", "replace", "reject"]),
        order=st.permutations(range(len(INTERVALS))),
        drafts=st.lists(DRAFT, max_size=30),
    )
    def start(self, policy: str, order: list[int], drafts: list[Draft]) -> None:
        self.export = Exporting(self.place, self.shape, policy)
        self.order = order
        self.arrive(drafts)

    def teardown(self) -> None:
        if not hasattr(self, "export"):
            return
        try:
            if self.export.agrees:
                self.finish()
        finally:
            self.export.close()

    def finish(self) -> None:
        self.export.finish(self.order)

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

    @precondition(lambda self: self.kills > 0)
    @rule(run=RUN, delay=st.floats(0, 0.1), retry=st.booleans())
    def kill(self, run: Run, delay: float, retry: bool) -> None:
        self.kills -= 1
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
    @rule(number=NUMBER)
    def lose(self, number: int) -> None:
        self.export.lose(self.export.keys[number % len(self.export.keys)])

    @precondition(lambda self: self.export.keys and not self.shape.merges)
    @rule(number=NUMBER)
    def double(self, number: int) -> None:
        self.export.double(self.export.keys[number % len(self.export.keys)])
