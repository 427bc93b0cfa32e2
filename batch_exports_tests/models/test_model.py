"""Which columns an export may choose."""

import pyarrow as pa
import pytest

from batch_exports.errors import ConfigurationError
from batch_exports.models import EVENTS, JSON, MODELS, Projection


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
def test_models_hold_together(model) -> None:  # type: ignore[no-untyped-def]
    by_name = {column.name: column for column in model.columns}
    sources = {column.source_name for column in model.columns}
    assert len(by_name) == len(model.columns)
    assert all(column.description for column in model.columns)
    assert {*model.key, *model.order} <= by_name.keys()
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
