"""Which columns an export may choose."""

import pyarrow as pa
import pytest

from batch_exports.errors import ConfigurationError
from batch_exports.models import (
    EVENTS,
    JSON,
    MODELS,
    PERSONS,
    SESSIONS,
    TIMESTAMP,
    Model,
    Projection,
    type_name,
)


def names(*chosen: str) -> list[str]:
    return [column.name for column in EVENTS.select(chosen, "s3")]


def test_default_columns_are_those_of_the_destination() -> None:
    assert names() == [
        "uuid",
        "event",
        "distinct_id",
        "timestamp",
        "properties",
        "person_id",
        "person_properties",
        "elements_chain",
        "created_at",
        "_inserted_at",
    ]


def test_columns_come_in_the_order_chosen() -> None:
    assert names("team_id", "uuid", "set") == ["team_id", "uuid", "set"]


@pytest.mark.parametrize(
    ("chosen", "problem", "remedy"),
    [
        (("uuid", "evnt"), "no column 'evnt'", "It has uuid, event, distinct_id"),
        (("uuid", "inserted_at"), "no column 'inserted_at'", "_inserted_at"),
        (("uuid", "event", "uuid"), "'uuid' is named twice", "once"),
        (("event", "timestamp"), "lacks 'uuid'", "Add uuid"),
    ],
)
def test_wrong_choices(chosen: tuple[str, ...], problem: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        EVENTS.select(chosen, "s3")
    assert caught.value.field == "columns"
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_models_hold_together(model: Model) -> None:
    by_name = {column.name: column for column in model.columns}
    sources = {column.source_name for column in model.columns}
    assert len(by_name) == len(model.columns)
    assert all(column.description for column in model.columns)
    assert {*model.key, *model.versions, *model.order} <= by_name.keys()
    assert not any(by_name[name].nullable for name in (*model.key, *model.versions))
    assert set(model.membership) <= sources
    for destination in model.default_columns:
        assert model.select((), destination)
    for column in model.columns:
        assert column.member_of is None or by_name[column.member_of[0]].type == JSON


def test_schema_and_membership_column() -> None:
    whole = Projection(
        EVENTS, EVENTS.select(("uuid", "properties", "_inserted_at"), "s3"), "inserted_at"
    )
    assert whole.schema == pa.schema(
        [
            pa.field("uuid", pa.string(), nullable=False),
            pa.field("properties", JSON),
            pa.field("_inserted_at", pa.timestamp("us", "UTC")),
        ]
    )
    assert whole.membership_column == "_inserted_at"
    assert Projection(EVENTS, EVENTS.select(("uuid",), "s3"), "timestamp").membership_column is None


def documented(model: Model, kind: str = "postgres") -> list[tuple[str, str]]:
    """The columns and types by default of a table, where the document has its own."""
    columns = model.select((), kind)
    return [(column.name, column.types.get(kind, "")) for column in columns]


def test_events_in_postgres_are_as_documented() -> None:
    assert documented(EVENTS) == [
        ("uuid", "VARCHAR(200)"),
        ("event", "VARCHAR(200)"),
        ("properties", ""),
        ("elements", ""),
        ("set", ""),
        ("set_once", ""),
        ("distinct_id", "VARCHAR(200)"),
        ("team_id", "INTEGER"),
        ("ip", "VARCHAR(200)"),
        ("site_url", "VARCHAR(200)"),
        ("timestamp", ""),
    ]


def test_redshift_is_as_documented() -> None:
    """Other text is VARCHAR(65535), and JSON what the export asks for:
    https://posthog.com/docs/cdp/batch-exports/redshift"""
    assert documented(EVENTS, "redshift") == [
        ("uuid", "VARCHAR(200)"),
        ("event", "VARCHAR(200)"),
        ("properties", ""),
        ("elements", "VARCHAR(65535)"),
        ("set", ""),
        ("set_once", ""),
        ("distinct_id", "VARCHAR(200)"),
        ("team_id", "INTEGER"),
        ("ip", "VARCHAR(200)"),
        ("site_url", "VARCHAR(200)"),
        ("timestamp", ""),
    ]
    assert documented(PERSONS, "redshift") == [
        ("team_id", "INTEGER"),
        ("distinct_id", "VARCHAR(200)"),
        ("person_id", "VARCHAR(200)"),
        ("properties", ""),
        ("person_distinct_id_version", "INTEGER"),
        ("person_version", "INTEGER"),
        ("created_at", ""),
    ]
    sessions = documented(SESSIONS, "redshift")
    assert [name for name, _ in sessions] == [name for name, _ in documented(SESSIONS)]
    assert [column for column in sessions if column[1]] == [("urls", "SUPER")]


def test_persons() -> None:
    assert documented(PERSONS) == [
        ("team_id", "INTEGER"),
        ("distinct_id", ""),
        ("person_id", ""),
        ("properties", ""),
        ("person_distinct_id_version", "INTEGER"),
        ("person_version", "INTEGER"),
        ("created_at", ""),
    ]
    delivered = Projection(PERSONS, PERSONS.select((), "s3"), "inserted_at")
    assert delivered.schema.names[7:] == ["is_deleted", "_inserted_at"]
    assert delivered.identity == (
        *("team_id", "distinct_id", "person_distinct_id_version", "person_version"),
    )


def test_sessions() -> None:
    in_table = SESSIONS.select((), "postgres")
    assert len(in_table) == 47
    assert [c.name for c in SESSIONS.select((), "s3")] == [
        *(c.name for c in in_table),
        "_inserted_at",
    ]
    types = {type_: sum(c.type == type_ for c in in_table) for type_ in {c.type for c in in_table}}
    assert types == {
        pa.string(): 34,
        pa.int64(): 8,
        TIMESTAMP: 2,
        pa.list_(pa.string()): 1,
        pa.bool_(): 1,
        pa.float64(): 1,
    }
    optional = [column.name for column in SESSIONS.columns if column.optional]
    assert optional[:4] == ["duration", "exit_current_url", "exit_pathname", "vitals_lcp"]
    assert len(optional) == 16
    assert not {*SESSIONS.key, *SESSIONS.versions, *SESSIONS.membership} & {*optional}


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (JSON, "json"),
        (pa.list_(pa.string()), "list<string>"),
        (pa.list_(pa.field("element", JSON)), "list<json>"),
        (TIMESTAMP, "timestamp[us, tz=UTC]"),
    ],
)
def test_type_names(type_: pa.DataType, name: str) -> None:
    assert type_name(type_) == name
