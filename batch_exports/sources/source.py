"""What an export asks of a source, and what every source offers."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

import pyarrow as pa

from batch_exports.interval import DataInterval
from batch_exports.models import Projection
from batch_exports.sources.description import Description
from batch_exports.transform.filters import RowFilter


@dataclass(frozen=True)
class Selection(Projection):
    """Which rows and columns of a model an export takes."""

    filters: RowFilter = field(default_factory=RowFilter)

    @property
    def keys_alone(self) -> "Selection":
        """The same rows with no more of them than keys and versions."""
        return replace(self, columns=tuple(c for c in self.columns if c.name in self.identity))


class Source(Protocol):
    """Where rows come from.

    All methods raise `Terminal` or `Transient` errors that name the place and what was expected.
    """

    def read(
        self, selection: Selection, interval: DataInterval
    ) -> AbstractContextManager[pa.RecordBatchReader]:
        """Stream the interval's rows in the selection's schema, in batches of bounded bytes.

        Leaving the block ends the reading and frees what it held, wherever it stood.
        """
        ...

    def count(self, selection: Selection, interval: DataInterval) -> int:
        """Count the interval's rows, by a way of its own and not from a read."""
        ...

    def describe(self, selection: Selection, interval: DataInterval) -> Description:
        """What a read of the interval would take. Nothing is read of the rows, nor changed."""
        ...
