"""PostHog's sessions, aggregated from the states that `raw_sessions` holds.

A session stands there in pieces until ClickHouse has merged them. FINAL merges as it reads, in the
order of the table, so that no more than a session's pieces are held at once; a GROUP BY would hold
all of the interval's sessions with their forty states each.
posthog/models/raw_sessions/sessions_v2.py at https://github.com/PostHog/posthog has the table, and
posthog/hogql/database/schema/sessions_v2.py what its columns mean.
"""

from collections.abc import Collection, Mapping, Sequence

from batch_exports.models import SESSIONS
from batch_exports.sources.clickhouse.channel_type import channel_type
from batch_exports.sources.clickhouse.statement import TEAM, Statement, between, named, utc

TABLE = "raw_sessions"
# How the table is ordered: rows are found by it, and by no other spelling.
_ORDER = """(
    toStartOfHour(fromUnixTimestamp(intDiv(toUInt64(bitShiftRight(s.session_id_v7, 80)), 1000))),
    cityHash64(s.session_id_v7),
    s.session_id_v7
)"""
_UUID = "bitOr(bitShiftLeft(s.session_id_v7, 64), bitShiftRight(s.session_id_v7, 64))"
# PostHog has max_inserted_at since the end of 2025; in sessions of before it is 1970.
_MOMENTS = {
    "inserted_at": "greatest(s.max_inserted_at, s.max_timestamp)",
    "end_timestamp": "s.max_timestamp",
    "start_timestamp": "s.min_timestamp",
}
_SHORT = 10  # seconds
_ENTRY, _INITIAL = "entry_", "initial_"


def _text(state: str) -> str:
    """What a session has of it; NULL where it has nothing."""
    return f"nullIf(nullIf(finalizeAggregation(s.{state}), ''), 'null')"


def _count(state: str) -> str:
    return f"toInt64(finalizeAggregation(s.{state}))"


_STEPS = _count("page_screen_autocapture_uniq_up_to")
_SECONDS = "dateDiff('second', s.min_timestamp, s.max_timestamp)"
_ENTRY_URL, _END_URL = _text("entry_url"), _text("end_url")
_COLUMNS: Mapping[str, str] = {
    "team_id": TEAM,
    "session_id": f"toString(reinterpretAsUUID({_UUID}))",
    "session_id_v7": "toString(s.session_id_v7)",
    "distinct_id": "nullIf(finalizeAggregation(s.distinct_id), 'null')",
    "start_timestamp": "s.min_timestamp",
    "end_timestamp": "s.max_timestamp",
    "urls": "s.urls",
    "num_uniq_urls": "toInt64(length(s.urls))",
    "entry_current_url": _ENTRY_URL,
    "entry_pathname": f"path({_ENTRY_URL})",
    "entry_hostname": f"domain({_ENTRY_URL})",
    "end_current_url": _END_URL,
    "end_pathname": f"path({_END_URL})",
    "end_hostname": f"domain({_END_URL})",
    "pageview_count": _count("pageview_uniq"),
    "autocapture_count": _count("autocapture_uniq"),
    "screen_count": _count("screen_uniq"),
    "channel_type": channel_type(
        source=_text("initial_utm_source"),
        medium=_text("initial_utm_medium"),
        campaign=_text("initial_utm_campaign"),
        domain=_text("initial_referring_domain"),
        gclid=_text("initial_gclid"),
        fbclid=_text("initial_fbclid"),
        gad=_text("initial_gad_source"),
    ),
    "session_duration": _SECONDS,
    "duration": _SECONDS,
    "is_bounce": f"if({_STEPS} = 0, NULL, toBool({_STEPS} <= 1 AND {_SECONDS} < {_SHORT}))",
    "last_external_click_url": _text("last_external_click_url"),
    "page_screen_autocapture_count_up_to": _STEPS,
    "exit_current_url": _END_URL,
    "exit_pathname": f"path({_END_URL})",
    "vitals_lcp": "finalizeAggregation(s.vitals_lcp)",
    "inserted_at": utc(_MOMENTS["inserted_at"]),
}


def available(stored: Collection[str]) -> dict[str, str]:
    """What the table can tell, by the model's names, with the expressions of it. Columns that
    PostHog added later are not in every table."""
    states = {
        column.name: column.name.replace(_ENTRY, _INITIAL, 1)
        for column in SESSIONS.columns
        if column.name.startswith(_ENTRY) and column.name not in _COLUMNS
    }
    told = {name: _text(state) for name, state in states.items() if state in stored}
    lacking = {"vitals_lcp"} - set(stored)
    return {name: sql for name, sql in _COLUMNS.items() if name not in lacking} | told


def read(names: Sequence[str], expressions: Mapping[str, str], membership: str) -> Statement:
    """The sessions of an interval with those of the available columns."""
    return Statement(
        f"""SELECT
    {named(expressions, names)}
FROM {TABLE} AS s FINAL
WHERE s.team_id = {TEAM} AND {_ORDER} GLOBAL IN ({_pieces(membership)})
    AND {between(_MOMENTS[membership])}"""
    )


def count(membership: str, segment: str) -> Statement:
    """How many sessions there are in each `segment`, an expression of the column `moment`."""
    moments = {
        "inserted_at": "greatest(max(s.max_inserted_at), max(s.max_timestamp))",
        "end_timestamp": "max(s.max_timestamp)",
        "start_timestamp": "min(s.min_timestamp)",
    }
    return Statement(
        f"""SELECT {segment} AS segment, count() AS rows
FROM (
    SELECT {utc(moments[membership])} AS moment
    FROM {TABLE} AS s
    WHERE s.team_id = {TEAM} AND {_ORDER} GLOBAL IN ({_pieces(membership)})
    GROUP BY s.session_id_v7
)
WHERE {between("moment")}
GROUP BY segment"""
    )


def _pieces(membership: str) -> str:
    """Sessions of which a piece lies in the interval: a session's time is one of its pieces'."""
    return f"""
    SELECT {_ORDER} FROM {TABLE} AS s
    WHERE s.team_id = {TEAM} AND {between(_MOMENTS[membership])}
"""
