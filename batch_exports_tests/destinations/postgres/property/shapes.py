"""Which rows there are of each model, in tables of PostgreSQL's."""

from collections.abc import Sequence
from typing import Any

from batch_exports.models import EVENTS, PERSONS, SESSIONS, Model, Projection
from batch_exports_tests.destinations.postgres.adapter import wide
from batch_exports_tests.destinations.property.source import NAMES, UUIDS, Shape


def _shape(
    model: Model,
    columns: Sequence[str],
    keys: Sequence[tuple[Any, ...]],
    versions: Sequence[tuple[int, ...]] = ((),),
) -> Shape:
    projection = wide(Projection(model, model.select(columns, "postgres"), "inserted_at"))
    return Shape("postgres", projection, keys, versions)


_SESSION_COLUMNS = (
    *("team_id", "session_id", "distinct_id", "start_timestamp", "end_timestamp", "urls"),
    *("pageview_count", "is_bounce", "vitals_lcp"),
)
SHAPES = {
    "events by range": _shape(
        EVENTS,
        ("uuid", "event", "properties", "distinct_id", "team_id", "timestamp", "_inserted_at"),
        UUIDS,
    ),
    "events by writer": _shape(EVENTS, (), UUIDS),
    "persons": _shape(PERSONS, (), NAMES, [(n, m) for n in range(4) for m in range(3)]),
    "sessions": _shape(SESSIONS, _SESSION_COLUMNS, NAMES, [(10**15 + n,) for n in range(6)]),
}
