"""Values of all types as JSON, and as the texts by which records and users are known."""

import json

from batch_exports.sources.warehouse.mapping import EventMapping
from batch_exports_tests.sources.warehouse.places import Place, rows_of

DIGITS = "1234567890123456789012345678.0123456789"
# Type, value in SQL, JSON. Of Redshift's types: VARCHAR keeps blanks at its end, of CHAR they are
# no part (https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html); numbers have up
# to 38 digits (…/r_Numeric_types201.html), times six digits of a second (…/r_Datetime_types.html).
BOTH = [
    ("SMALLINT", "-32768", "-32768"),
    ("BIGINT", "9223372036854775807", "9223372036854775807"),
    ("NUMERIC(38,10)", DIGITS, DIGITS),
    ("NUMERIC(38,20)", "0.00000000000000000001", "0.00000000000000000001"),
    ("NUMERIC(10,2)", "-1.50", "-1.50"),
    ("REAL", "0.1", "0.1"),
    ("DOUBLE PRECISION", "0.1", "0.1"),
    ("DOUBLE PRECISION", "1.7976931348623157e308", "1.7976931348623157e+308"),
    ("BOOLEAN", "true", "true"),
    ("BOOLEAN", "false", "false"),
    ("VARCHAR(20)", "'  a\"é  '", '"  a\\"é  "'),
    ("VARCHAR(20)", "''", '""'),
    ("VARCHAR(20)", "'a\tb' || CHR(10)", '"a\\tb\\n"'),
    ("VARCHAR(20)", "CHR(92)", '"\\\\"'),
    ("CHAR(5)", "'ab'", '"ab"'),
    ("DATE", "'2026-11-01'", '"2026-11-01"'),
    ("TIMESTAMP", "'2026-11-01 10:11:12.123456'", '"2026-11-01T10:11:12.123456"'),
    ("TIMESTAMP", "'2026-11-01'", '"2026-11-01T00:00:00.000000"'),
    ("TIMESTAMPTZ", "'2026-11-01 10:11:12.5+02'", '"2026-11-01T08:11:12.500000Z"'),
    ("TIME", "'10:11:12.123456'", '"10:11:12.123456"'),
    ("TIMETZ", "'10:11:12+02'", '"10:11:12+02:00"'),
    ("TIMETZ", "'10:11:12.5-05:30'", '"10:11:12.5-05:30"'),
    ("VARCHAR(20)", "NULL", "null"),
    ("BIGINT", "NULL", "null"),
    ("REAL", "NULL", "null"),
    ("TIMETZ", "NULL", "null"),
]
POSTGRES = [
    ("numeric", "1e40", "1" + "0" * 40),
    ("jsonb", """'{"b":1.50,"a":[null,"x"]}'""", '{"a": [null, "x"], "b": 1.50}'),
    ("json", """'{"b":1.50,"b":2}'""", '{"b":1.50,"b":2}'),
    ("json", "NULL", "null"),
    ("bytea", r"'\x00ff'", '"00ff"'),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'),
    ("text[]", "'{a,NULL,\"b,c\"}'", '["a",null,"b,c"]'),
    ("int[]", "'{{1,2},{3,4}}'", "[[1,2],[3,4]]"),
    ("interval", "'1 day'", '"1 day"'),
    ("inet", "'10.0.0.1'", '"10.0.0.1"'),
    ("timestamptz", "'infinity'", '"infinity"'),
    ("timestamp", "'0044-03-15 12:00 BC'", '"0044-03-15 12:00:00 BC"'),
]
LONG = json.dumps(["é" * 20_000] * 3, ensure_ascii=False, separators=(",", ":"))
# https://docs.aws.amazon.com/redshift/latest/dg/r_SUPER_type.html: a document, or a scalar alone;
# https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html
REDSHIFT = [
    ("SUPER", """JSON_PARSE('{"b":1.50,"a":[null,"x"]}')""", '{"b":1.50,"a":[null,"x"]}'),
    ("SUPER", "JSON_PARSE('\"5\"')", '"5"'),
    ("SUPER", "JSON_PARSE('5')", "5"),
    ("SUPER", "JSON_PARSE('null')", "null"),
    ("SUPER", "NULL", "null"),
    ("SUPER", f"JSON_PARSE('{LONG}')", LONG),
    ("VARBYTE(10)", "TO_VARBYTE('00ff', 'hex')", '"00ff"'),
]


def loaded(warehouse: Place, cases: list[tuple[str, str, str]]) -> tuple[str, ...]:
    """A table with a column for each case, in one row."""
    names = [f"c{number}" for number in range(len(cases))]
    columns = ", ".join(f"{n} {case[0]}" for n, case in zip(names, cases, strict=True))
    warehouse.make(f"id INTEGER, user_id VARCHAR(10), {columns}")
    typed = (
        f"CAST({value} AS {type_})" if "(" not in value else value for type_, value, _ in cases
    )
    warehouse.run(f"INSERT INTO persons SELECT 1, 'u', {', '.join(typed)}")
    return tuple(names)


def expected_of(warehouse: Place) -> list[tuple[str, str, str]]:
    return [*BOTH, *(POSTGRES if warehouse.dialect.name == "postgres" else REDSHIFT)]


def test_values_are_what_they_were(warehouse: Place) -> None:
    cases = expected_of(warehouse)
    names = loaded(warehouse, cases)
    with warehouse.source() as source:
        (row,) = rows_of(source, 0)
    wanted = ",".join(f'"{n}":{case[2]}' for n, case in zip(names, cases, strict=True))
    assert row["traits"] == f'{{"id":1,{wanted}}}'


def test_what_did_not_change_is_not_told(warehouse: Place) -> None:
    loaded(warehouse, expected_of(warehouse))
    with warehouse.source() as source:
        rows_of(source, 0)
        assert rows_of(source, 1) == []


# Some of which = takes for no change:
# https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
CHANGES = [
    ("VARCHAR(10)", "'a'", "'a '"),
    ("VARCHAR(10)", "'a'", "'A'"),
    ("VARCHAR(10)", "''", "NULL"),
    ("VARCHAR(10)", "NULL", "''"),
    ("BOOLEAN", "false", "NULL"),
    ("DOUBLE PRECISION", "0.1", "0.10000000000000002"),
    ("TIMESTAMPTZ", "'2026-11-01 00:00:00+00'", "'2026-11-01 00:00:00.000001+00'"),
    ("TIMETZ", "'10:00:00+00'", "'11:00:00+01'"),
]


def test_what_changed_is_told(warehouse: Place) -> None:
    """A row for each change, and one more."""
    columns = ", ".join(f"c{number} {type_}" for number, (type_, _, _) in enumerate(CHANGES))
    before = ", ".join(value for _, value, _ in CHANGES)
    rows = [f"{number}, 'u', {before}" for number in range(len(CHANGES) + 1)]
    warehouse.make(f"id INTEGER, user_id VARCHAR(10), {columns}", *rows)
    with warehouse.source() as source:
        rows_of(source, 0)
        for number, (_, _, after) in enumerate(CHANGES):
            warehouse.run(f"UPDATE persons SET c{number} = {after} WHERE id = {number}")
        found = [(row["record_id"], row["operation"]) for row in rows_of(source, 1)]
    assert found == [(str(number), "update") for number in range(len(CHANGES))]


def test_documents_that_changed_are_told(warehouse: Place) -> None:
    values = (
        ["'{\"a\":1}'", '\'{"a":"1"}\'', "NULL"]
        if warehouse.dialect.name == "postgres"
        else ["JSON_PARSE('{\"a\":1}')", 'JSON_PARSE(\'{"a":"1"}\')', "NULL"]
    )
    warehouse.make(f"id INTEGER, user_id VARCHAR(10), c {warehouse.super}")
    warehouse.run(f"INSERT INTO persons SELECT 1, 'u', {values[0]}")
    with warehouse.source() as source:
        rows_of(source, 0)
        for number, value in enumerate(values[1:], start=1):
            warehouse.run(f"UPDATE persons SET c = {value}")
            assert [row["operation"] for row in rows_of(source, number)] == ["update"]


KEYS = [
    ("VARCHAR(20)", "'a\"b'", 'a"b', '"a\\"b"'),
    ("CHAR(5)", "'ab'", "ab", '"ab"'),
    ("BIGINT", "-5", "-5", "-5"),
    ("NUMERIC(5,2)", "1.5", "1.50", "1.50"),
    ("BOOLEAN", "true", "true", "true"),
    ("DATE", "'2026-11-01'", "2026-11-01", '"2026-11-01"'),
    ("TIMESTAMP", "'2026-11-01'", "2026-11-01T00:00:00.000000", '"2026-11-01T00:00:00.000000"'),
]


def test_record_ids(warehouse: Place) -> None:
    names = [f"k{number}" for number in range(len(KEYS))]
    columns = ", ".join(f"{name} {key[0]}" for name, key in zip(names, KEYS, strict=True))
    values = ", ".join(value for _, value, _, _ in KEYS)
    warehouse.make(f"user_id VARCHAR(10), {columns}", f"'u', {values}")
    alone = [0, 1, 3]
    keys = [((names[number],), KEYS[number][2]) for number in alone]
    keys.append((tuple(names), f"[{','.join(json_ for _, _, _, json_ in KEYS)}]"))
    for number, (key, record) in enumerate(keys):
        with warehouse.source(EventMapping(key), name=f"of_{number}") as source:
            assert [row["record_id"] for row in rows_of(source, 0)] == [record]


def test_identifiers_are_texts_and_no_traits(warehouse: Place) -> None:
    columns = "id BIGINT, code CHAR(4), email VARCHAR(20), plan VARCHAR(10)"
    warehouse.make(columns, "12, 'x', '  ', 'free'", "13, NULL, 'a@x.org', NULL")
    mapping = EventMapping(("id",), {"user_id": "id", "anonymous_id": "code"})
    with warehouse.source(mapping) as source:
        first, second = rows_of(source, 0)
    assert [first[n] for n in ("user_id", "anonymous_id", "email")] == ["12", "x", None]
    assert [second[n] for n in ("user_id", "anonymous_id", "email")] == ["13", None, "a@x.org"]
    assert [first["traits"], second["traits"]] == ['{"plan":"free"}', '{"plan":null}']


def test_names_that_have_to_be_quoted(warehouse: Place) -> None:
    upper = "Name" if warehouse.dialect.name == "postgres" else "name"
    warehouse.make(
        f'"select" INTEGER, "user_id" VARCHAR(5), "a b.c" INTEGER, "%s" INTEGER, "{upper}" INTEGER',
        "1, 'u', 2, 3, 4",
    )
    with warehouse.source(EventMapping(("select",))) as source:
        (row,) = rows_of(source, 0)
        warehouse.run('UPDATE persons SET "a b.c" = 5')
        assert len(rows_of(source, 1)) == 1
    assert json.loads(row["traits"]) == {"select": 1, "a b.c": 2, "%s": 3, upper: 4}
