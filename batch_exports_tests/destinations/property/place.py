"""Where a property test delivers to: what differs between destinations."""

from contextlib import AbstractContextManager
from typing import Any, Protocol

from batch_exports_tests.destinations.property.expected import Table
from batch_exports_tests.destinations.property.real_table import RealTable
from batch_exports_tests.destinations.property.run import Run
from batch_exports_tests.destinations.property.source import Shape
from batch_exports_tests.faults.proxy import FaultProxy


class Place(Protocol):
    """A schema of its own on a real server. `adapter` is the destination's own."""

    adapter: Any

    @property
    def one_of_two_may_fail(self) -> bool:
        """Whether of two runs at once one may have to be tried again."""
        ...

    @property
    def greeting_bytes(self) -> int:
        """At most so many are sent before a session has begun."""
        ...

    def open(self, shape: Shape) -> AbstractContextManager[RealTable]:
        """The table in a session of its own; nothing is there yet."""
        ...

    def begin(self, shape: Shape, table: RealTable) -> Table:
        """What is there at first, which this makes."""
        ...

    def adapter_of(self, run: Run) -> Any:
        """The adapter by which the run delivers."""
        ...

    def strands(self, run: Run, *, killed: bool) -> bool:
        """Whether something may stay of a run that died, until the interval's next is done."""
        ...

    def losing_commit(self, proxy: FaultProxy) -> AbstractContextManager[object]:
        """Within the block the answer to a run's last COMMIT through the proxy is lost."""
        ...
