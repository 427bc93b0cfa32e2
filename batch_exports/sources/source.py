"""What an export asks of a source, and what every source offers."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from batch_exports.interval import DataInterval
from batch_exports.models import Column, Model, schema_of
from batch_exports.transform.filters import RowFilter


@dataclass(frozen=True)
class Selection:
    """Which rows and columns of a model an export takes.

    `membership` is the source's column that places a row in a data interval.
    """

    model: Model
    columns: tuple[Column, ...]
    membership: str
    filters: RowFilter = field(default_factory=RowFilter)

    @property
    def schema(self) -> pa.Schema:
        return schema_of(self.columns)

    @property
    def membership_column(self) -> str | None:
        """The exported column that holds the membership column, if there is one."""
        return next((c.name for c in self.columns if c.source_name == self.membership), None)


class Source(Protocol):
    """Where rows come from.

    Both methods raise `Terminal` or `Transient` errors that name the place and what was expected.
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
