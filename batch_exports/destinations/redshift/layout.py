"""How rows of each model lie in a table that is made for them, where the export does not say.

Rows of one user lie on one slice, where joins of events, sessions and persons need no other; and
in the order of time, by which they are asked for.
https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-sort-key.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batch_exports.models import (
    AMPLITUDE_EVENTS,
    AMPLITUDE_MERGED_IDS,
    EVENTS,
    IDENTIFIES,
    PERSONS,
    SESSIONS,
    Projection,
)


@dataclass(frozen=True)
class Layout:
    """The column that spreads rows over slices (None: as Redshift chooses by use), and those that
    put them in order (empty: likewise)."""

    dist_key: str | None = None
    sort_key: Sequence[str] = ()


_USUAL: Mapping[str, Layout] = {
    EVENTS.name: Layout("distinct_id", ("timestamp",)),
    PERSONS.name: Layout("distinct_id", ("team_id", "distinct_id")),
    SESSIONS.name: Layout("distinct_id", ("start_timestamp",)),
    AMPLITUDE_EVENTS.name: Layout("amplitude_id", ("event_time", "server_upload_time")),
    AMPLITUDE_MERGED_IDS.name: Layout("amplitude_id", ("merge_server_time",)),
    IDENTIFIES.name: Layout("record_id", ("data_interval_start",)),
}


def layout(
    projection: Projection, dist_key: str | None = None, sort_key: Sequence[str] = ()
) -> Layout:
    """What is given, and else the model's own, as far as its columns are exported."""
    names = {column.name for column in projection.columns}
    usual = _USUAL.get(projection.model.name, Layout())
    return Layout(
        dist_key or (usual.dist_key if usual.dist_key in names else None),
        sort_key or [name for name in usual.sort_key if name in names],
    )
