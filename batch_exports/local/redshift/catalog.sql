-- What Redshift has and PostgreSQL has not: types, functions, system tables and views.
-- Run once, by a superuser, in the emulator's database.
-- System tables and views: https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_system-tables.html

SET allow_system_table_mods = on;

-- SUPER is JSON as it was written, compact: every digit of a number stays. Nothing but JSON_PARSE
-- and a cast makes one; a literal is no SUPER.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_SUPER_type.html
CREATE TYPE pg_catalog.super;
CREATE FUNCTION pg_catalog.super_in(cstring) RETURNS pg_catalog.super
    LANGUAGE internal IMMUTABLE STRICT AS 'shell_in';
CREATE FUNCTION pg_catalog.super_out(pg_catalog.super) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE FUNCTION pg_catalog.super_recv(internal) RETURNS pg_catalog.super
    LANGUAGE internal IMMUTABLE STRICT AS 'textrecv';
CREATE FUNCTION pg_catalog.super_send(pg_catalog.super) RETURNS bytea
    LANGUAGE internal IMMUTABLE STRICT AS 'textsend';
CREATE TYPE pg_catalog.super (
    INPUT = pg_catalog.super_in, OUTPUT = pg_catalog.super_out,
    RECEIVE = pg_catalog.super_recv, SEND = pg_catalog.super_send, LIKE = text
);
CREATE CAST (pg_catalog.super AS json) WITHOUT FUNCTION;
CREATE CAST (json AS pg_catalog.super) WITHOUT FUNCTION;
CREATE FUNCTION pg_catalog.super_eq(pg_catalog.super, pg_catalog.super) RETURNS bool
    LANGUAGE internal IMMUTABLE STRICT AS 'byteaeq';
CREATE FUNCTION pg_catalog.super_hash(pg_catalog.super) RETURNS int
    LANGUAGE internal IMMUTABLE STRICT AS 'hashvarlena';
CREATE OPERATOR pg_catalog.= (
    LEFTARG = pg_catalog.super, RIGHTARG = pg_catalog.super, FUNCTION = pg_catalog.super_eq,
    COMMUTATOR = OPERATOR(pg_catalog.=), HASHES
);
CREATE OPERATOR CLASS pg_catalog.super_ops DEFAULT FOR TYPE pg_catalog.super USING hash AS
    OPERATOR 1 pg_catalog.=, FUNCTION 1 pg_catalog.super_hash(pg_catalog.super);

-- VARBYTE takes the bytes of a text as they are, in UTF-8.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html
CREATE TYPE pg_catalog.varbyte;
CREATE FUNCTION pg_catalog.varbyte_in(cstring) RETURNS pg_catalog.varbyte
    LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION pg_catalog.varbyte_out(pg_catalog.varbyte) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';
CREATE FUNCTION pg_catalog.varbyte_recv(internal) RETURNS pg_catalog.varbyte
    LANGUAGE internal IMMUTABLE STRICT AS 'bytearecv';
CREATE FUNCTION pg_catalog.varbyte_send(pg_catalog.varbyte) RETURNS bytea
    LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
CREATE FUNCTION pg_catalog.varbyte_length_in(cstring[]) RETURNS int
    LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodin';
CREATE FUNCTION pg_catalog.varbyte_length_out(int) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodout';
CREATE TYPE pg_catalog.varbyte (
    INPUT = pg_catalog.varbyte_in, OUTPUT = pg_catalog.varbyte_out,
    RECEIVE = pg_catalog.varbyte_recv, SEND = pg_catalog.varbyte_send,
    TYPMOD_IN = pg_catalog.varbyte_length_in, TYPMOD_OUT = pg_catalog.varbyte_length_out,
    LIKE = bytea
);
CREATE CAST (pg_catalog.varbyte AS bytea) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (bytea AS pg_catalog.varbyte) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (text AS pg_catalog.varbyte) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (varchar AS pg_catalog.varbyte) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE FUNCTION pg_catalog.varbyte_fit(pg_catalog.varbyte, int, bool) RETURNS pg_catalog.varbyte
    LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    IF $2 >= 4 AND octet_length($1) > $2 - 4 THEN
        RAISE EXCEPTION 'value too long for type varbyte(%)', $2 - 4 USING ERRCODE = '22001';
    END IF;
    RETURN $1;
END $$;
CREATE CAST (pg_catalog.varbyte AS pg_catalog.varbyte)
    WITH FUNCTION pg_catalog.varbyte_fit(pg_catalog.varbyte, int, bool) AS IMPLICIT;
CREATE FUNCTION pg_catalog.varbyte_text(pg_catalog.varbyte) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT convert_from($1, 'UTF8') $$;
CREATE CAST (pg_catalog.varbyte AS text) WITH FUNCTION pg_catalog.varbyte_text;
CREATE CAST (pg_catalog.varbyte AS varchar) WITH FUNCTION pg_catalog.varbyte_text;
CREATE FUNCTION pg_catalog.to_varbyte(value text, format text) RETURNS pg_catalog.varbyte
    LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE lower(format)
        WHEN 'utf8' THEN convert_to(value, 'UTF8') WHEN 'utf-8' THEN convert_to(value, 'UTF8')
        ELSE decode(value, lower(format)) END::pg_catalog.varbyte $$;
CREATE FUNCTION pg_catalog.from_varbyte(value pg_catalog.varbyte, format text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE lower(format)
        WHEN 'utf8' THEN convert_from(value, 'UTF8') WHEN 'utf-8' THEN convert_from(value, 'UTF8')
        ELSE encode(value, lower(format)) END $$;

-- Refusals and limits.
CREATE FUNCTION pg_catalog.emulator_refuse(code text, message text, detail text) RETURNS text
    LANGUAGE plpgsql AS $$
BEGIN
    IF detail IS NULL THEN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message; END IF;
    RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail;
END $$;
CREATE FUNCTION pg_catalog.emulator_fits(value text, bytes int, type text) RETURNS bool
    LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF octet_length(value) > bytes THEN
        RAISE EXCEPTION 'value too long for type %(%)', type, bytes USING ERRCODE = '22001';
    END IF;
    RETURN true;
END $$;
-- A table's layout stands in the definition of a constraint that calls this: it comes, goes and is
-- inherited with the table, within its transaction.
CREATE FUNCTION pg_catalog.emulator_layout(layout text) RETURNS bool
    LANGUAGE sql IMMUTABLE AS 'SELECT true';

-- https://docs.aws.amazon.com/redshift/latest/dg/r_enable_large_strings_opt_in.html
CREATE FUNCTION pg_catalog.is_large_string_enabled() RETURNS bool LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('emulator.large_strings', true), '') = 'on' $$;

-- https://docs.aws.amazon.com/redshift/latest/dg/JSON_PARSE.html
-- https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html
CREATE FUNCTION pg_catalog.emulator_json(document text) RETURNS pg_catalog.super
    LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
    longest int := CASE WHEN is_large_string_enabled() THEN 16000000 ELSE 65535 END;
    -- E'' reads the same whether or not backslashes escape in other literals of the session.
    string constant text := E'"(?:[^"\\\\]|\\\\.)*"';
    loose constant text := '[][{},:][[:space:]]|[[:space:]][][{},:]|^[[:space:]]|[[:space:]]$';
    outside text;
BEGIN
    IF octet_length(document) > 16777216 THEN
        RAISE EXCEPTION 'Super value exceeds export size limit 16MB.' USING ERRCODE = 'XX000';
    END IF;
    PERFORM document::json;
    -- https://docs.aws.amazon.com/redshift/latest/dg/super-configurations.html
    IF coalesce(current_setting('emulator.json_parse_dedup_attributes', true), '')
        NOT IN ('on', 'true', '1')
        -- PostgreSQL reads keys as text, which has no U+0000.
        AND replace(document, E'\\u0000', E'\\u0001') IS NOT JSON WITH UNIQUE KEYS
    THEN
        RAISE EXCEPTION 'JSON parsing error: an object has an attribute twice'
            USING ERRCODE = 'XX000', DETAIL = 'Set json_parse_dedup_attributes to keep one.';
    END IF;
    IF octet_length(document) > longest AND EXISTS (
        SELECT FROM regexp_matches(document, string, 'g') AS strings (part)
        WHERE octet_length(part[1]) - 2 > longest
            AND octet_length(replace(part[1], E'\\u0000', '?')::json #>> '{}') > longest
    ) THEN
        RAISE EXCEPTION 'String value exceeds the max size of % bytes', longest
            USING ERRCODE = 'XX000', DETAIL = 'JSON parsing error: a string within the document';
    END IF;
    IF length(document) < 2000 AND document !~ loose THEN
        RETURN document::json::pg_catalog.super;
    END IF;
    outside := regexp_replace(document, string, '', 'g');
    IF length(outside) - length(translate(outside, '[{', '')) > 1000 AND (
        SELECT max(depth) FROM (
            SELECT sum(CASE WHEN part[1] IN ('[', '{') THEN 1 ELSE -1 END) OVER (ORDER BY at)
            FROM regexp_matches(outside, '[][{}]', 'g') WITH ORDINALITY AS signs (part, at)
        ) AS depths(depth)
    ) > 1000 THEN
        RAISE EXCEPTION 'Nesting depth of the value exceeds 1000' USING ERRCODE = 'XX000';
    END IF;
    IF outside ~ '[[:space:]]' THEN
        document := regexp_replace(document, '(' || string || ')|[[:space:]]+', E'\\1', 'g');
    END IF;
    RETURN document::json::pg_catalog.super;
END $$;
CREATE FUNCTION pg_catalog.json_parse(text) RETURNS pg_catalog.super
    LANGUAGE sql STABLE STRICT AS 'SELECT pg_catalog.emulator_json($1)';
CREATE FUNCTION pg_catalog.json_parse(pg_catalog.varbyte) RETURNS pg_catalog.super
    LANGUAGE sql STABLE STRICT AS $$ SELECT emulator_json(convert_from($1, 'UTF8')) $$;
CREATE FUNCTION pg_catalog.can_json_parse(text) RETURNS bool LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN json_parse($1) IS NOT NULL;
EXCEPTION WHEN OTHERS THEN RETURN false;
END $$;
CREATE FUNCTION pg_catalog.can_json_parse(pg_catalog.varbyte) RETURNS bool
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN json_parse($1) IS NOT NULL;
EXCEPTION WHEN OTHERS THEN RETURN false;
END $$;
CREATE FUNCTION pg_catalog.is_valid_json(text) RETURNS bool LANGUAGE sql STABLE AS $$
    SELECT can_json_parse($1) AND ltrim($1) LIKE '{%' $$;
CREATE FUNCTION pg_catalog.is_valid_json_array(text) RETURNS bool LANGUAGE sql STABLE AS $$
    SELECT can_json_parse($1) AND ltrim($1) LIKE '[%' $$;
-- https://docs.aws.amazon.com/redshift/latest/dg/JSON_SERIALIZE.html
CREATE FUNCTION pg_catalog."json_serialize"(pg_catalog.super) RETURNS varchar
    LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce($1::json::text, 'null') $$;
CREATE FUNCTION pg_catalog.json_serialize_to_varbyte(pg_catalog.super) RETURNS pg_catalog.varbyte
    LANGUAGE sql IMMUTABLE AS $$ SELECT "json_serialize"($1)::pg_catalog.varbyte $$;
CREATE FUNCTION pg_catalog.json_size(pg_catalog.super) RETURNS int
    LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT octet_length($1::json::text) $$;
CREATE FUNCTION pg_catalog.json_typeof(pg_catalog.super) RETURNS varchar
    LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT json_typeof($1::json) $$;
-- A text becomes a string, never the document that it spells.
CREATE FUNCTION pg_catalog.super_string(text) RETURNS pg_catalog.super
    LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT to_json($1)::pg_catalog.super $$;
CREATE CAST (text AS pg_catalog.super) WITH FUNCTION pg_catalog.super_string AS ASSIGNMENT;
CREATE CAST (varchar AS pg_catalog.super) WITH FUNCTION pg_catalog.super_string(text) AS ASSIGNMENT;

-- Functions of one line.
CREATE FUNCTION pg_catalog.redshift_version() RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 '
        '(Red Hat 3.4.2-6.fc3), Redshift 1.0.0 (emulator)' $$;
CREATE FUNCTION pg_catalog.getdate() RETURNS timestamp LANGUAGE sql STABLE AS $$
    SELECT date_trunc('second', statement_timestamp() AT TIME ZONE 'UTC') $$;
CREATE FUNCTION pg_catalog.len(text) RETURNS int
    LANGUAGE sql IMMUTABLE STRICT AS 'SELECT length($1)';
CREATE FUNCTION pg_catalog.len(pg_catalog.varbyte) RETURNS int
    LANGUAGE sql IMMUTABLE STRICT AS 'SELECT octet_length($1::bytea)';
CREATE FUNCTION pg_catalog.pg_last_copy_count() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('emulator.copy_count', true), ''), '0')::bigint $$;
CREATE FUNCTION pg_catalog.pg_last_copy_id() RETURNS int LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('emulator.copy_id', true), ''), '-1')::int $$;

-- System tables and views, with the columns that are read of them.
CREATE SEQUENCE pg_catalog.emulator_query;
CREATE TABLE pg_catalog.stl_load_errors (
    userid int, slice int, tbl int, starttime timestamp, session int, query int,
    filename varchar(256), line_number bigint, colname varchar(127), type varchar(10),
    col_length varchar(10), position int, raw_line varchar(1024), raw_field_value varchar(1024),
    err_code int, err_reason varchar(100), is_partial int, start_offset bigint
);
CREATE TABLE pg_catalog.stl_load_commits (
    userid int, query int, slice int, name varchar(256), filename varchar(256), byte_offset int,
    lines_scanned int, errors int, curtime timestamp, status int, file_format varchar(16),
    is_partial int, start_offset bigint
);
CREATE VIEW pg_catalog.sys_load_error_detail AS
    SELECT userid AS user_id, query::bigint AS query_id, 0::bigint AS transaction_id,
        session AS session_id, current_database()::text AS database_name, tbl AS table_id,
        starttime AS start_time, filename AS file_name, line_number, colname AS column_name,
        type AS column_type, col_length AS column_length, position,
        err_code AS error_code, err_reason AS error_message
    FROM pg_catalog.stl_load_errors;
CREATE VIEW pg_catalog.stv_slices AS SELECT 0 AS node, slice, slice AS localslice, 'D' AS type
    FROM (VALUES (0), (1)) AS slices (slice);
-- https://docs.aws.amazon.com/redshift/latest/dg/r_STV_DB_ISOLATION_LEVEL.html
CREATE VIEW pg_catalog.stv_db_isolation_level AS
    SELECT current_database()::char(128) AS db_name,
        CASE current_setting('emulator.isolation', true)
            WHEN 'serializable' THEN 'Serializable' ELSE 'Snapshot Isolation'
        END::char(20) AS isolation_level;

CREATE VIEW pg_catalog.emulator_column AS
    SELECT c.oid AS table_id, n.nspname AS schema, c.relname AS table, a.attname AS column,
        a.attnum AS position, a.attnotnull AS "notnull", format_type(a.atttypid, a.atttypmod) AS type,
        pg_get_expr(d.adbin, d.adrelid) AS "default", convert_from(decode(layout, 'hex'), 'UTF8')::jsonb AS layout, c.relkind AS kind
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN LATERAL (
        SELECT substring(pg_get_constraintdef(k.oid) FROM '''([0-9a-f]*)''')
        FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.conname = 'emulator_layout'
    ) AS kept (layout) ON true
    WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND n.nspname NOT LIKE 'pg\_toast%';
-- Only tables of the schemas in search_path:
-- https://docs.aws.amazon.com/redshift/latest/dg/r_PG_TABLE_DEF.html
CREATE VIEW pg_catalog.pg_table_def AS
    SELECT schema AS schemaname, "table" AS tablename, "column", type::varchar(128),
        coalesce(layout -> 'encodings' ->> "column"::text, 'none')::varchar(32) AS encoding,
        coalesce(layout ->> 'distkey' = "column"::text, false) AS distkey,
        coalesce((
            SELECT at FROM jsonb_array_elements_text(layout -> 'sortkey')
            WITH ORDINALITY AS keys (key, at) WHERE key = "column"::text
        ), 0)::int AS sortkey,
        "notnull"
    FROM pg_catalog.emulator_column
    WHERE schema = ANY (current_schemas(false)) AND kind = 'r';
CREATE VIEW pg_catalog.svv_table_info AS
    SELECT DISTINCT current_database()::text AS database, schema::text, table_id,
        "table"::text, 'Y'::text AS encoded,
        coalesce(
            'KEY(' || (layout ->> 'distkey') || ')', layout ->> 'diststyle', 'AUTO(ALL)'
        ) AS diststyle,
        coalesce(layout -> 'sortkey' ->> 0, 'AUTO(SORTKEY)') AS sortkey1,
        coalesce(jsonb_array_length(layout -> 'sortkey'), 0) AS sortkey_num,
        greatest(1, pg_total_relation_size(table_id) / 1048576) AS size,
        greatest(0, (SELECT reltuples FROM pg_class WHERE oid = table_id))::numeric AS tbl_rows
    FROM pg_catalog.emulator_column WHERE kind = 'r' AND schema NOT LIKE 'pg\_temp%';
CREATE VIEW pg_catalog.svv_columns AS
    SELECT current_database()::text AS table_catalog, schema::text AS table_schema,
        "table"::text AS table_name, "column"::text AS column_name, position::int AS ordinal_position,
        "default" AS column_default, CASE WHEN "notnull" THEN 'NO' ELSE 'YES' END AS is_nullable,
        split_part(type, '(', 1) AS data_type,
        CASE WHEN type LIKE 'char%' OR type LIKE 'varbyte%'
            THEN substring(type FROM '\((\d+)\)')::int END AS character_maximum_length,
        substring(type FROM 'numeric\((\d+),')::int AS numeric_precision,
        substring(type FROM 'numeric\(\d+,(\d+)\)')::int AS numeric_scale
    FROM pg_catalog.emulator_column;
GRANT SELECT ON pg_catalog.stl_load_errors, pg_catalog.stl_load_commits,
    pg_catalog.sys_load_error_detail, pg_catalog.stv_slices, pg_catalog.stv_db_isolation_level,
    pg_catalog.emulator_column, pg_catalog.pg_table_def, pg_catalog.svv_table_info,
    pg_catalog.svv_columns TO PUBLIC;
-- The sessions of clients write what they have loaded.
GRANT INSERT ON pg_catalog.stl_load_errors, pg_catalog.stl_load_commits TO PUBLIC;
GRANT USAGE ON SEQUENCE pg_catalog.emulator_query TO PUBLIC;
