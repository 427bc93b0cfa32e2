"""Which rows there are of each model, in tables of Redshift's."""

from collections.abc import Sequence
from typing import Any

from batch_exports.models import EVENTS, PERSONS, SESSIONS, Model, Projection
from batch_exports_tests.destinations.property.source import NAMES, UUIDS, Shape
from batch_exports_tests.destinations.redshift.adapter import wide


def _shape(
    model: Model,
    columns: Sequence[str],
    keys: Sequence[tuple[Any, ...]],
    versions: Sequence[tuple[int, ...]] = ((),),
    *,
    appends: bool = False,
) -> Shape:
    projection = wide(Projection(model, model.select(columns, "redshift"), "inserted_at"))
    return Shape("redshift", projection, keys, versions, appends)


_KEYED = ("uuid", "event", "properties", "distinct_id", "team_id", "timestamp", "person_id")
_PLACED = (*_KEYED, "_inserted_at")
_SESSION_COLUMNS = (
    *("team_id", "session_id", "distinct_id", "start_timestamp", "end_timestamp", "urls"),
    *("pageview_count", "is_bounce", "vitals_lcp"),
)
SHAPES = {
    "events by range": _shape(EVENTS, _PLACED, UUIDS),
    "events by key": _shape(EVENTS, _KEYED, UUIDS),
    "events appended": _shape(EVENTS, _PLACED, UUIDS, appends=True),
    "persons": _shape(PERSONS, (), NAMES, [(n, m) for n in range(4) for m in range(3)]),
    "sessions": _shape(SESSIONS, _SESSION_COLUMNS, NAMES, [(10**15 + n,) for n in range(6)]),
}
