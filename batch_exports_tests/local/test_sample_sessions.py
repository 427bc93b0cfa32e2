"""Sessions of the sample lake: every version is what SQL makes of the events until its end."""

import duckdb
import pyarrow as pa

from batch_exports import models
from batch_exports.local.session_schema import SESSIONS

_FROM_EVENTS = """
WITH told AS (
    SELECT *, properties->>'$."$session_id"' AS session_id, properties->>'$."$current_url"' AS url,
        properties->>'$."$referring_domain"' AS domain, properties->>'utm_source' AS source,
        properties->>'utm_medium' AS medium
    FROM readable
), versions AS (SELECT DISTINCT session_id, end_timestamp FROM sessions)
SELECT session_id, end_timestamp,
    arg_max(distinct_id, (timestamp, uuid)) AS distinct_id,
    min(timestamp) AS start_timestamp,
    max(timestamp) AS last_timestamp,
    list_sort(list(DISTINCT url)) AS urls,
    count(DISTINCT url) AS num_uniq_urls,
    arg_min(url, (timestamp, uuid)) AS entry_current_url,
    arg_max(url, (timestamp, uuid)) AS end_current_url,
    any_value(source) AS entry_utm_source,
    any_value(medium) AS entry_utm_medium,
    any_value(domain) AS entry_referring_domain,
    count(*) FILTER (event = '$pageview') AS pageview_count,
    count(*) FILTER (event = '$autocapture') AS autocapture_count,
    least(count(*) FILTER (event IN ('$pageview', '$autocapture')), 2) AS steps,
    epoch(max(timestamp) - min(timestamp))::BIGINT AS session_duration
FROM versions JOIN told USING (session_id)
WHERE timestamp <= end_timestamp
GROUP BY ALL
"""
_TOLD = """
SELECT DISTINCT session_id, end_timestamp, distinct_id, start_timestamp,
    end_timestamp AS last_timestamp, list_sort(urls) AS urls, num_uniq_urls, entry_current_url,
    end_current_url, entry_utm_source, entry_utm_medium, entry_referring_domain, pageview_count,
    autocapture_count, page_screen_autocapture_count_up_to AS steps, session_duration
FROM sessions
"""


def test_columns_are_the_models() -> None:
    expected = {column.source_name: column.type for column in models.SESSIONS.columns}
    assert dict(zip(SESSIONS.names, SESSIONS.types, strict=True)) == expected
    assert SESSIONS.field("urls").type == pa.list_(pa.string())


def test_every_version_follows_from_the_events(tables: duckdb.DuckDBPyConnection) -> None:
    made, told = tables.sql(_FROM_EVENTS), tables.sql(_TOLD)
    assert made.columns == told.columns
    assert made.except_(told).fetchall() == []
    assert told.except_(made).fetchall() == []


def test_the_newest_versions_count_every_event(tables: duckdb.DuckDBPyConnection) -> None:
    newest = "SELECT DISTINCT ON (session_id) * FROM sessions ORDER BY end_timestamp DESC"
    events = """SELECT count(DISTINCT properties->>'$."$session_id"'),
        count(*) FILTER (event = '$pageview' AND properties->>'$."$session_id"' IS NOT NULL),
        count(*) FILTER (event = '$autocapture') FROM readable"""
    counted = f"SELECT count(*), sum(pageview_count), sum(autocapture_count) FROM ({newest})"
    assert tables.sql(counted).fetchall() == tables.sql(events).fetchall()


def test_columns_that_follow_from_others(tables: duckdb.DuckDBPyConnection) -> None:
    wrong = tables.sql("""
        SELECT * FROM sessions WHERE team_id <> 1
        OR duration <> session_duration OR screen_count <> 0
        OR exit_current_url <> end_current_url OR exit_pathname <> end_pathname
        OR entry_current_url NOT LIKE 'https://' || entry_hostname || entry_pathname || '%'
        OR end_current_url NOT LIKE 'https://' || end_hostname || end_pathname || '%'
        OR end_pathname LIKE '%?%' OR entry_pathname LIKE '%?%'
        OR is_bounce IS DISTINCT FROM CASE page_screen_autocapture_count_up_to
            WHEN 0 THEN NULL WHEN 1 THEN session_duration < 10 ELSE false END
        OR NOT vitals_lcp BETWEEN 800 AND 4000
    """)
    assert wrong.fetchall() == []
    speeds = (
        "SELECT max(n) FROM (SELECT count(DISTINCT vitals_lcp) n FROM sessions GROUP BY session_id)"
    )
    assert tables.sql(speeds).fetchall() == [(1,)]
    channels = tables.sql("SELECT DISTINCT channel_type FROM sessions").fetchall()
    assert {name for (name,) in channels} == {
        *("Direct", "Email", "Organic Search", "Organic Social", "Paid Search")
    }


def test_sessions_grow_over_hours_and_a_later_version_tells_more(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    distinct = "SELECT DISTINCT ON (session_id, end_timestamp) * FROM sessions"
    steps = f"""
        SELECT session_duration - lag(session_duration) OVER w, len(urls) - lag(len(urls)) OVER w,
            date_trunc('hour', inserted_at) <> lag(date_trunc('hour', inserted_at)) OVER w
        FROM ({distinct}) WINDOW w AS (PARTITION BY session_id ORDER BY end_timestamp)
    """
    grown = [step for step in tables.sql(steps).fetchall() if step[0] is not None]
    assert len(grown) > 3_000
    assert all(seconds > 0 and urls >= 0 for seconds, urls, _ in grown)
    assert sum(hour for _, _, hour in grown) > 1_000


def test_some_versions_are_overtaken_and_some_come_twice(
    tables: duckdb.DuckDBPyConnection,
) -> None:
    overtaken = """SELECT count(*) FROM sessions a JOIN sessions b USING (session_id)
        WHERE a.end_timestamp < b.end_timestamp
        AND date_trunc('hour', a.inserted_at) > date_trunc('hour', b.inserted_at)"""
    assert tables.sql(overtaken).fetchall()[0][0] > 50
    twice = """SELECT max(inserted_at) - min(inserted_at) AS gap, count(*)
        FROM sessions GROUP BY session_id, end_timestamp HAVING count(*) > 1"""
    gaps = tables.sql(twice).fetchall()
    assert len(gaps) > 30
    assert all(gap.days == 1 and count == 2 for gap, count in gaps)
