"""The steps by which a lake is tried: that its files are found, and have what an export needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from batch_exports.probe import Finding, Step, passed, skipped, warning
from batch_exports.sources.lake.lake import Lake
from batch_exports.sources.source import Selection


@dataclass
class Attempt:
    """`reach` makes the lake, for which it may take credentials."""

    reach: Callable[[], Lake]
    selection: Selection
    files: Sequence[str] = field(default=(), init=False)

    @cached_property
    def lake(self) -> Lake:
        return self.reach()


def find_files(attempt: Attempt) -> Finding:
    model = attempt.selection.model.name
    attempt.files = attempt.lake.files(attempt.selection.model)
    if not attempt.files:
        return warning(
            f"The lake has no file of {model}: every interval is empty.",
            remedy="See that files are written there, with names that do not begin with . or _",
        )
    return passed(f"{len(attempt.files)} files of {model}")


def read_columns(attempt: Attempt) -> Finding:
    """In the last file by name: where names begin with a date, it is the newest."""
    if not attempt.files:
        return skipped("there is no file")
    last = attempt.files[-1]
    shown = attempt.lake.shown(last)
    head = attempt.lake.head(last, attempt.selection)
    if head is None:
        return passed(f"{shown}: it has the columns, and no row that is exported")
    # A Parquet file without a column is an error; a line without a member has NULL there.
    nowhere = [] if last.endswith(".parquet") else _without_value(head, attempt.selection)
    if nowhere:
        return warning(
            f"{shown}: none of the first {head.num_rows} rows has {', '.join(nowhere)}.",
            remedy="If the lines call it otherwise, write them again: it is NULL as they are.",
        )
    return passed(f"{shown}: it has the columns")


def _without_value(head: pa.RecordBatch, selection: Selection) -> list[str]:
    needed = [c for c in selection.columns if not c.optional and not c.member_of]
    return [c.source_name for c in needed if head.column(c.name).null_count == head.num_rows]


STEPS: Sequence[Step[Attempt]] = (
    Step("files", find_files),
    Step("columns", read_columns),
)
