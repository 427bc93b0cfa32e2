"""Which rows of a file an interval takes."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import TIMESTAMP
from batch_exports.sources.projection import conform
from batch_exports.sources.source import Selection

# As far as times in nanoseconds reach, and somewhat less.
ALWAYS = DataInterval(datetime(1700, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


def member_mask(
    batch: pa.RecordBatch, selection: Selection, interval: DataInterval, where: str, rows: str
) -> pa.Array:
    """True for each row that lies in the interval and has an event that is exported.

    Raises `Terminal` for rows without a time of membership; `rows` is what the file calls them.
    """
    moments = batch.column(selection.membership)
    if moments.null_count:
        raise without_membership(f"{moments.null_count} {rows}", selection.membership, where)
    moments = conform(moments, TIMESTAMP, selection.membership, where)
    mask = pc.and_(
        pc.greater_equal(moments, pa.scalar(interval.start, TIMESTAMP)),
        pc.less(moments, pa.scalar(interval.end, TIMESTAMP)),
    )
    if selection.filters.by_event:
        events = conform(batch.column("event"), pa.string(), "event", where)
        mask = pc.and_(mask, selection.filters.event_mask(events))
    return mask


def without_membership(which: str, membership: str, where: str) -> Terminal:
    """The error for rows that would be lost in silence, as no interval has them."""
    return Terminal(
        f"{where}: {which} have no {membership}, and belong to no interval.",
        remedy="Give them one, or choose another membership column for the export.",
    )
