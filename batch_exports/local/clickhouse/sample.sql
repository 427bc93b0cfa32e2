-- The sample lake as PostHog would have written it into its tables, before ClickHouse has merged
-- anything: events that Kafka brought twice, each version of a person, sessions in pieces.
-- {lake} is the lake's folder.

-- What would be merged stays as it is inserted.
SYSTEM STOP MERGES;

INSERT INTO posthog.channel_definition VALUES
    ('google', 'source', 'Search', 'Paid Search', 'Organic Search'),
    ('google.com', 'source', 'Search', 'Paid Search', 'Organic Search'),
    ('facebook.com', 'source', 'Social', 'Paid Social', 'Organic Social'),
    ('cpc', 'medium', NULL, 'Paid Unknown', NULL),
    ('social', 'medium', NULL, 'Paid Social', 'Organic Social'),
    ('email', 'medium', NULL, NULL, 'Email');

-- Of the first mapping of a distinct ID there is no override.
INSERT INTO posthog.person_distinct_id2
SELECT any(team_id), distinct_id, toUUID(person_id), 0, person_distinct_id_version,
    toDateTime(min(inserted_at)), 0, 0
FROM file('{lake}/persons/*/*.parquet')
WHERE person_distinct_id_version = 0
GROUP BY distinct_id, person_id, person_distinct_id_version;

INSERT INTO posthog.person_distinct_id2
SELECT any(team_id), distinct_id, toUUID(person_id), 0, person_distinct_id_version,
    toDateTime(min(inserted_at)), 1, 0
FROM file('{lake}/persons/*/*.parquet')
WHERE person_distinct_id_version > 0
GROUP BY distinct_id, person_id, person_distinct_id_version;

INSERT INTO posthog.person_distinct_id_overrides
SELECT * FROM posthog.person_distinct_id2 WHERE version > 0;

-- One that was given back, so that its newest override counts for nothing.
INSERT INTO posthog.person_distinct_id_overrides
SELECT team_id, distinct_id, person_id, 1, version + 1, _timestamp + 60, _offset + 1, _partition
FROM posthog.person_distinct_id_overrides
ORDER BY distinct_id LIMIT 1;

-- A mapping that was deleted, while its person was not.
INSERT INTO posthog.person_distinct_id2
SELECT team_id, distinct_id, person_id, 1, version + 100, toDateTime('2026-11-03 12:00:00', 'UTC'),
    2, 0
FROM posthog.person_distinct_id2
WHERE distinct_id LIKE 'cdnow%'
ORDER BY distinct_id LIMIT 1;

INSERT INTO posthog.person
SELECT toUUID(person_id), any(created_at), any(team_id), any(properties), 1, any(is_deleted),
    person_version, toDateTime(min(inserted_at)), 0
FROM file('{lake}/persons/*/*.parquet')
WHERE person_version % 2 = 0
GROUP BY person_id, person_version;

INSERT INTO posthog.person
SELECT toUUID(person_id), any(created_at), any(team_id), any(properties), 1, any(is_deleted),
    person_version, toDateTime(min(inserted_at)), 1
FROM file('{lake}/persons/*/*.parquet')
WHERE person_version % 2 = 1
GROUP BY person_id, person_version;

-- Twice in one second.
INSERT INTO posthog.person
SELECT * REPLACE (_offset + 1 AS _offset) FROM posthog.person WHERE endsWith(toString(id), '7');

-- The event has the person of its distinct ID as it arrived. Rows of before there was inserted_at
-- lack it.
INSERT INTO posthog.events
SELECT
    toUUID(uuid), event, properties, timestamp, team_id, distinct_id, elements_chain, created_at,
    toUUID(if(
        given_at > inserted_at, first_person, person_id
    )),
    created_at, person_properties, 'full', toDateTime(inserted_at), 0,
    if(endsWith(uuid, '0'), NULL, inserted_at)
FROM file('{lake}/events/*/*.parquet') AS events
LEFT JOIN (
    SELECT distinct_id, minIf(inserted_at, person_distinct_id_version > 0) AS given_at,
        anyIf(person_id, person_distinct_id_version = 0) AS first_person
    FROM file('{lake}/persons/*/*.parquet')
    GROUP BY distinct_id
) AS given USING (distinct_id);

-- Events that came twice: most soon after, some a day later.
INSERT INTO posthog.events
SELECT * REPLACE (
    'full' AS person_mode,
    concat('{{"again":1,', substring(properties, 2)) AS properties,
    _timestamp + 2 AS _timestamp,
    inserted_at + INTERVAL 2 SECOND AS inserted_at
)
FROM posthog.events
WHERE endsWith(toString(uuid), '1');

INSERT INTO posthog.events
SELECT * REPLACE (
    _timestamp + 86400 AS _timestamp, inserted_at + INTERVAL 1 DAY AS inserted_at
)
FROM posthog.events
WHERE endsWith(toString(uuid), '22');

-- Another project's.
INSERT INTO posthog.events
SELECT * REPLACE (team_id + 1 AS team_id) FROM posthog.events WHERE endsWith(toString(uuid), '33');

-- A piece for each quarter of an hour in which events of a session arrived.
INSERT INTO posthog.raw_sessions
SELECT
    team_id,
    session_id_v7,
    argMaxState(distinct_id, timestamp),
    min(timestamp),
    max(timestamp),
    max(inserted_at),
    groupUniqArrayArray(if(current_url = '', [], [current_url])),
    argMinState(current_url, timestamp),
    argMaxState(current_url, timestamp),
    argMaxState(JSONExtractString(properties, '$external_click_url'), timestamp),
    argMinState(JSONExtractString(properties, '$referring_domain'), timestamp),
    argMinState(JSONExtractString(properties, 'utm_source'), timestamp),
    argMinState(JSONExtractString(properties, 'utm_campaign'), timestamp),
    argMinState(JSONExtractString(properties, 'utm_medium'), timestamp),
    argMinState(JSONExtractString(properties, 'utm_term'), timestamp),
    argMinState(JSONExtractString(properties, 'utm_content'), timestamp),
    argMinState(JSONExtractString(properties, 'gclid'), timestamp),
    argMinState(JSONExtractString(properties, 'gad_source'), timestamp),
    argMinState(JSONExtractString(properties, 'gclsrc'), timestamp),
    argMinState(JSONExtractString(properties, 'dclid'), timestamp),
    argMinState(JSONExtractString(properties, 'gbraid'), timestamp),
    argMinState(JSONExtractString(properties, 'wbraid'), timestamp),
    argMinState(JSONExtractString(properties, 'fbclid'), timestamp),
    argMinState(JSONExtractString(properties, 'msclkid'), timestamp),
    argMinState(JSONExtractString(properties, 'twclid'), timestamp),
    argMinState(JSONExtractString(properties, 'li_fat_id'), timestamp),
    argMinState(JSONExtractString(properties, 'mc_cid'), timestamp),
    argMinState(JSONExtractString(properties, 'igshid'), timestamp),
    argMinState(JSONExtractString(properties, 'ttclid'), timestamp),
    argMinState(JSONExtractString(properties, '_kx'), timestamp),
    argMinState(JSONExtractString(properties, 'irclid'), timestamp),
    uniqState(CAST(if(event = '$pageview', uuid, NULL) AS Nullable(UUID))),
    uniqState(CAST(if(event = '$autocapture', uuid, NULL) AS Nullable(UUID))),
    uniqState(CAST(if(event = '$screen', uuid, NULL) AS Nullable(UUID))),
    uniqUpToState(1)(CAST(
        if(event IN ('$pageview', '$screen', '$autocapture'), uuid, NULL) AS Nullable(UUID)
    )),
    argMinState(CAST(NULL AS Nullable(Float64)), timestamp)
FROM (
    SELECT
        *,
        JSONExtractString(properties, '$current_url') AS current_url,
        -- A UUIDv7 of the session's own, whose IDs are none in the lake.
        bitOr(
            bitOr(
                bitShiftLeft(toUInt128(toUnixTimestamp64Milli(begun)), 80),
                bitShiftLeft(toUInt128(7), 76)
            ),
            toUInt128(bitOr(bitAnd(cityHash64(session), 0x3FFFFFFFFFFFFFFF), 0x8000000000000000))
        ) AS session_id_v7
    FROM (
        SELECT
            *,
            JSONExtractString(properties, '$session_id') AS session,
            min(timestamp) OVER (PARTITION BY session) AS begun
        FROM posthog.events
        WHERE session != '' AND team_id = 1 AND NOT startsWith(properties, '{{"again"')
    )
)
GROUP BY team_id, session_id_v7, toStartOfFifteenMinutes(inserted_at);

-- Pieces of before there was max_inserted_at have the zero of times there.
INSERT INTO posthog.raw_sessions
SELECT * REPLACE (toDateTime64(0, 6, 'UTC') AS max_inserted_at)
FROM posthog.raw_sessions
WHERE toUInt64(session_id_v7) % 10 = 0;
