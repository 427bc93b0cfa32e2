"""An export whose source changes and whose runs die: after each step all must be as expected."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import permutations

from batch_exports.destinations.delivery import Delivery
from batch_exports.errors import Transient
from batch_exports_tests.destinations.property.audit import check_delivery, check_words
from batch_exports_tests.destinations.property.expected import Entry, Merged, Replaced, State
from batch_exports_tests.destinations.property.place import Place
from batch_exports_tests.destinations.property.real_table import NAME, RealTable
from batch_exports_tests.destinations.property.run import (
    Outcome,
    Run,
    write,
    write_and_die,
)
from batch_exports_tests.destinations.property.source import (
    INTERVALS,
    Landed,
    Shape,
    Source,
    SourceRow,
)
from batch_exports_tests.destinations.suite import SourceFailed, fail, wait_until
from batch_exports_tests.faults.proxy import FaultProxy
from batch_exports_tests.faults.rules import TcpFault


class Exporting:
    """`state` is what table and ledger hold; while something is done, or when it has failed, they
    need not agree with it."""

    def __init__(self, place: Place, shape: Shape, policy: str) -> None:
        self.source = Source(shape)
        self.shape = shape
        self.agrees = True
        self._place = place
        place.adapter = place.adapter.having(
            table=NAME, write_mode=shape.mode, on_unrepresentable=policy
        )
        self._destination = place.adapter.destination(shape.projection)
        self._resources = ExitStack()
        address = (place.adapter.connection["host"], place.adapter.connection["port"])
        self._proxy = self._resources.enter_context(FaultProxy(address))
        self._table = self._resources.enter_context(place.open(shape))
        self._table.clear()
        self.tampered = False
        self._stranded = set[int]()
        self._sent: list[SourceRow] = []
        self._runs = 0
        self.state = State(place.begin(shape, self._table), policy)

    def close(self) -> None:
        self._resources.close()

    # What runs meet

    def deliver(self, run: Run, run_id: str = "") -> None:
        """All goes well."""
        self._deliver(run, run_id or self._next_run())
        self.audit(run.interval)

    def _deliver(self, run: Run, run_id: str) -> None:
        """Halfway nobody sees any of it."""
        before, seen = self.state, list[State | None]()
        with self._step():
            outcome = self._write(
                run, run_id, lambda: seen.append(before.find(self._table.observe()))
            )
            assert isinstance(outcome, Delivery), outcome
            assert seen == [before]
            self._find(self._after(before, run, run_id))
            check_delivery(self._destination, outcome, before, self.state, run.interval)
            if self._place.strands(run, killed=True):
                self._stranded.discard(run.interval)

    def fail(self, run: Run) -> None:
        """The source fails."""
        with self._step():
            outcome = self._write(run, self._next_run(), fail)
            assert isinstance(outcome, SourceFailed), outcome
            self._find(self.state)

    def terminate(self, run: Run, session: int, *, retry: bool) -> None:
        """An administrator ends one of the run's sessions."""
        run_id = self._next_run()
        with self._step():
            outcome = self._write(run, run_id, lambda: self._table.end_session(run_id, session))
            assert isinstance(outcome, Transient), outcome
            self._survive(run, run_id, self.state)
        if retry:
            self.deliver(run, run_id)

    def cut(self, run: Run, after: int, *, forward: bool, retry: bool) -> None:
        """A connection breaks after so many bytes, or at the answer to them."""
        run_id = self._next_run()
        with self._step():
            after += self._place.greeting_bytes
            self._proxy.add(TcpFault(direction="up", do="reset", after=after, forward=forward))
            outcome = self._write_through_proxy(run, run_id)
            assert isinstance(outcome, Delivery | Transient), outcome
            before = [self.state] if isinstance(outcome, Transient) else []
            self._survive(run, run_id, *before, self._after(self.state, run, run_id))
        if retry:
            self.deliver(run, run_id)

    def lose_commit(self, run: Run) -> None:
        """The server commits, but the run does not learn of it, and is tried again."""
        run_id = self._next_run()
        with self._step():
            with self._place.losing_commit(self._proxy):
                outcome = self._write_through_proxy(run, run_id)
            assert isinstance(outcome, Transient), outcome
            self._survive(run, run_id, self._after(self.state, run, run_id))
        self.deliver(run, run_id)

    def kill(self, run: Run, delay: float, *, retry: bool) -> None:
        """SIGKILL ends the run's process, so many seconds after the run's moment."""
        run_id = self._next_run()
        with self._step():
            rows = self.source.read(run.interval)
            adapter = self._place.adapter_of(run)
            write_and_die(run, adapter, self.shape.projection, rows, run_id, delay)
            after = self._after(self.state, run, run_id)
            self._survive(run, run_id, self.state, after, killed=True)
        if retry:
            self.deliver(run, run_id)

    def at_once(self, first: Run, second: Run, *, second_fails: bool) -> None:
        """Two runs in threads, maybe of one interval."""
        one, other = self._next_run(), self._next_run()
        runs = [(first, one)] if second_fails else [(first, one), (second, other)]
        with self._step():
            with ThreadPoolExecutor(2) as threads:
                event = fail if second_fails else None
                outcomes = (
                    threads.submit(self._write, first, one),
                    threads.submit(self._write, second, other, event),
                )
            done, also_done = (outcome.result() for outcome in outcomes)
            if second_fails:
                assert isinstance(also_done, SourceFailed), also_done
            ends = dict(zip((one, other), (done, also_done), strict=True))
            delivered = [(run, id_) for run, id_ in runs if isinstance(ends[id_], Delivery)]
            failed = [id_ for _, id_ in runs if not isinstance(ends[id_], Delivery)]
            assert len(failed) <= self._place.one_of_two_may_fail, ends
            assert all(isinstance(ends[id_], Transient) for id_ in failed), ends
            self._find(*(self._after_all(order) for order in permutations(delivered)))
        for interval in {run.interval for run, _ in runs}:
            self.audit(interval)

    # What users do

    @property
    def keys(self) -> list[Landed]:
        """Those that stand in the table."""
        return self.state.table.keys

    def tamper(self, do: Callable[[RealTable], object]) -> None:
        """A user does something to the table that changes no row."""
        with self._step():
            do(self._table)
            self._find(self.state)

    def lose(self, key: Landed) -> None:
        """A user deletes rows."""
        self.tampered = True
        with self._step():
            self._table.delete(key)
            self._find(replace(self.state, table=self.state.table.lost(key)))

    def double(self, key: Landed) -> None:
        """A user copies rows within the table."""
        self.tampered = True
        with self._step():
            self._table.double(key)
            self._find(replace(self.state, table=self.state.table.doubled(key)))

    # What must be

    def audit(self, interval: int) -> None:
        """What the destination says is true, and is that all is sound where nothing happened since
        the delivery."""
        with self._step():
            check_words(self._destination, self.state, self.source, interval)
        sound = self.state.table.is_exact and not self.tampered
        if sound and interval in self.state.entries and self._is_current(interval):
            presence = self.state.presence(interval, self.source.of(interval), deep=True)
            delivered = len(self.state.landing(self.state.entries[interval]))
            assert (presence.counted, presence.stale) == (delivered, 0)

    def finish(self, order: Sequence[int]) -> None:
        """Deliver what has changed since; then the table is the source's, and rows that users put
        there are besides."""
        for interval in order:
            stranded = interval in self._stranded
            if stranded or self.tampered or not self._is_current(interval):
                self._deliver(Run(interval, parallelism=1 + stranded), self._next_run())
        with self._step():
            assert self._place.adapter.leftovers() == []
            table, rows = self.state.table, self._table.observe().rows
            if isinstance(table, Replaced):
                sent = self.state.landing(Entry("", tuple(self.source.rows)))
                users = [held.landed for held in table.held if held.interval is None]
                assert self.tampered or table.made_by_user or not users
                assert rows == Counter(sent) + Counter(users)
            elif isinstance(table, Merged) and not self.tampered:
                versions = {self.shape.key_of(row): self.shape.version_of(row) for row in rows}
                delivered = {
                    key: version for key, version in versions.items() if None not in version
                }
                assert delivered == self._newest_versions()
        for interval in order:
            self.audit(interval)

    def redeliver(self, order: Sequence[int]) -> None:
        """Every interval as the source has it."""
        for interval in order:
            self._deliver(Run(interval), self._next_run())

    def problems(self, interval: int) -> tuple[str, ...]:
        """What an inspection says of the interval."""
        keys = self.source.key_reader(interval)
        problems: tuple[str, ...]
        problems = self._destination.inspect(INTERVALS[interval], source_keys=keys).problems
        return problems

    def _newest_versions(self) -> dict[Landed, Landed]:
        """Of each key that was ever delivered."""
        newest: dict[Landed, Landed] = {}
        for row in self.state.landing(Entry("", tuple(self._sent))):
            key, version = self.shape.key_of(row), self.shape.version_of(row)
            newest[key] = max(version, newest.get(key, version))
        return newest

    def _is_current(self, interval: int) -> bool:
        """Whether the interval's last delivery is what the source has."""
        entry = self.state.entries.get(interval)
        return (entry.rows if entry else ()) == self.source.of(interval)

    def _find(self, *possible: State) -> None:
        """One of these states is there, and nothing else."""
        seen = self._table.observe()
        found = [state for one in possible if (state := one.find(seen))]
        assert found, f"{seen} is none of {possible}"
        for interval, entry in found[0].entries.items():
            if entry is not self.state.entries.get(interval):
                self._sent += entry.rows
        self.state = found[0]

    def _after(self, state: State, run: Run, run_id: str) -> State:
        """What is there when the run has delivered."""
        entry = Entry(run_id, self.source.of(run.interval))
        return state.delivered(run.interval, entry)

    def _after_all(self, runs: Iterable[tuple[Run, str]]) -> State:
        state = self.state
        for run, run_id in runs:
            state = self._after(state, run, run_id)
        return state

    def _survive(self, run: Run, run_id: str, *possible: State, killed: bool = False) -> None:
        """When the server has noticed that the run is over, one of these states is there."""
        wait_until(lambda: not self._table.sessions(run_id))
        self._find(*possible)
        if self._place.strands(run, killed=killed):
            self._stranded.add(run.interval)

    def _write(
        self, run: Run, run_id: str, event: Callable[[], object] | None = None, port: int = 0
    ) -> Outcome:
        adapter = self._place.adapter_of(run)
        if port:
            adapter = replace(adapter, connection={**adapter.connection, "port": port})
        destination = adapter.destination(self.shape.projection)
        return write(run, destination, self.source.read(run.interval), run_id, event)

    def _write_through_proxy(self, run: Run, run_id: str) -> Outcome:
        outcome = self._write(run, run_id, port=self._proxy.port)
        self._proxy.heal()
        return outcome

    def _next_run(self) -> str:
        self._runs += 1
        return f"run-{self._runs}"

    @contextmanager
    def _step(self) -> Iterator[None]:
        self.agrees = False
        yield
        self.agrees = True
