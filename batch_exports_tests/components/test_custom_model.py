"""Models that users declare: what is refused when they are loaded, and what the lineage has."""

from pathlib import Path

import dagster as dg
import pytest

from batch_exports.components.errors import InvalidComponent
from batch_exports.lookup import find_export
from batch_exports.probe import Result
from batch_exports.trial import try_source
from batch_exports_tests.deployment import CONNECTION, EXPORT, LAKE, load

MODEL = """\
type: batch_exports.CustomModel
attributes:
  name: orders
  source: lake
  table: shop/orders
  columns:
    - {name: id, type: bigint, nullable: false, description: The order.}
    - {name: Total, type: "numeric(18, 2)"}
    - {name: updated_at, type: timestamp, nullable: false}
    - {name: data, type: json, types: {redshift: varchar(500)}}
  key: [id]
  membership: updated_at
"""
ORDERS = EXPORT.replace("model: events", "model: orders")
POSTGRES = """\
type: batch_exports.PostgresConnection
attributes: {name: warehouse, host: h.example.com, database: d, user: u, password: {env: HOME}}
"""
REDSHIFT = """\
type: batch_exports.RedshiftConnection
attributes: {name: cluster, host: h.example.com, database: d, user: u, password: {env: HOME}}
---
type: batch_exports.RedshiftBatchExport
attributes:
  name: events_archive
  source: lake
  model: orders
  start: "2026-11-01"
  connection: cluster
  mode: INSERT
"""
POSTGRES_EXPORT = """\
type: batch_exports.PostgresBatchExport
attributes:
  name: events_archive
  source: lake
  model: orders
  start: "2026-11-01"
  connection: warehouse
"""


def definitions(folder: Path, monkeypatch: pytest.MonkeyPatch, *documents: str) -> dg.Definitions:
    return load(folder, {"a/defs.yaml": "---\n".join(documents)}, monkeypatch)


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, *documents: str) -> str:
    """What the user is told about a file of these documents, behind the file's name."""
    with pytest.raises(InvalidComponent) as error:
        definitions(folder, monkeypatch, *documents)
    return str(error.value).removeprefix(f"{folder}/a/defs.yaml:")


@pytest.mark.parametrize(
    ("right", "wrong", "place", "words"),
    [
        ("name: orders", "name: events", "3 - attributes.name", ["'events' is a model already"]),
        ("name: orders", "name: identifies", "3 - attributes.name", ["is a model already"]),
        ("source: lake", "source: lkae", "4 - attributes.source", ["'lkae'", "There is: lake"]),
        ("  table: shop/orders\n", "", "2 - attributes.table", ["it is missing", "or a query"]),
        ("  table: shop/orders\n", "  table: o\n  query: q\n", "5 - attributes.table",
         ["query is given as well"]),
        ("table: shop/orders", "table: {schema: s}", "5 - attributes.table", ["fields schema"]),
        ("table: shop/orders", "table: {schema: s, table: t}", "5 - attributes.table",
         ["a lake has no schemas"]),
        ("table: shop/orders", "table: ../orders", "5 - attributes.table", ["'../orders' is no"]),
        ("table: shop/orders", 'table: ""', "5 - attributes.table", ["'' is not a name"]),
        ("table: shop/orders", "query: SELECT {data_interval_start}, {data_interval_end}",
         "5 - attributes.query", ["the source 'lake' has no SQL", "Give a table"]),
        ("table: shop/orders", "query: SELECT {data_interval_start}, {data_interval_endd}",
         "5 - attributes.query", ["{data_interval_endd}", "mean {data_interval_end}?"]),
        ("type: bigint", "type: bigserial", "7 - attributes.columns.0.type",
         ["'bigserial' is not a type", "text, boolean, smallint"]),
        ('"numeric(18, 2)"', "numeric", "8 - attributes.columns.1.type", ["numeric(p, s)"]),
        ('"numeric(18, 2)"', '"numeric(39, 2)"', "8 - attributes.columns.1.type", ["1 to 38"]),
        ('"numeric(18, 2)"', '"numeric(2, 3)"', "8 - attributes.columns.1.type", ["1 to 38"]),
        ("name: Total", "name: ID", "8 - attributes.columns.1.name",
         ["'ID' and 'id' differ in capitals alone", "one to Redshift"]),
        ("name: Total", "name: id", "8 - attributes.columns.1.name", ["'id' is there twice"]),
        ("name: Total", "name: '50%'", "8 - attributes.columns.1.name", ["the character %"]),
        ("name: Total", "name: ' a'", "8 - attributes.columns.1.name", ["' a' is not a name"]),
        ("name: Total", "name: _reason", "8 - attributes.columns.1.name", ["of rejects"]),
        ("varchar(500)", "integer", "10 - attributes.columns.3.types.redshift",
         ["'INTEGER' does not hold json", "Use CHARACTER VARYING, SUPER, VARCHAR"]),
        ("varchar(500)", "varchar(65536)", "10 - attributes.columns.3.types.redshift", ["'VARCH"]),
        ("varchar(500)", '"SUPER; DROP"', "10 - attributes.columns.3.types.redshift", ["'SUPER;"]),
        ("{redshift: varchar(500)}", "{s3: x}", "10 - attributes.columns.3.types",
         ["'s3' is no kind", "postgres, redshift"]),
        ("key: [id]", "key: [idd]", "11 - attributes.key", ["'idd' is not among the columns"]),
        ("key: [id]", "key: []", "11 - attributes.key", ["it is empty"]),
        ("key: [id]", "key: [id, id]", "11 - attributes.key", ["'id' is named twice"]),
        ("key: [id]", "key: [Total]", "11 - attributes.key",
         ["'Total' may be NULL", "nullable: false"]),
        ("key: [id]", "key: [id]\n  versions: [id]", "12 - attributes.versions", ["of the key"]),
        ("key: [id]", "key: [id]\n  versions: [data]", "12 - attributes.versions", ["be NULL"]),
        ("key: [id]", "key: [id]\n  versions: [x]", "12 - attributes.versions", ["'x' is not"]),
        ("membership: updated_at", "membership: id", "12 - attributes.membership",
         ["'id' has a type that cannot serve", "a column of timestamp"]),
        ("membership: updated_at", "membership: at", "12 - attributes.membership", ["'at' is not"]),
        ("membership: updated_at", "membership: []", "12 - attributes.membership", ["is empty"]),
    ],
)  # fmt: skip
def test_a_word_of_a_model(
    right: str,
    wrong: str,
    place: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert right in MODEL
    document = MODEL.replace(right, wrong, 1)
    message = told(tmp_path, monkeypatch, document, LAKE)
    assert message.startswith(f"{place}\n")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("documents", "words"),
    [
        ([LAKE, CONNECTION, ORDERS], ["attributes.model", "no model 'orders'", "lake has events"]),
        (
            [LAKE, CONNECTION, MODEL, ORDERS.replace("orders", "order")],
            ["attributes.model", "no model 'order'", ", orders. Correct"],
        ),
        (
            [LAKE, LAKE.replace("name: lake", "name: other"), CONNECTION, MODEL,
             ORDERS.replace("source: lake", "source: other")],
            ["attributes.model", "'orders' is a model of the source 'lake'"],
        ),
        ([LAKE, MODEL, MODEL], ["attributes.name", "'orders' names the CustomModel"]),
        (
            [LAKE, CONNECTION, MODEL, f"{ORDERS}  columns: [Total]\n"],
            ["attributes.columns", "lacks 'id', part of the key"],
        ),
        (
            [LAKE, CONNECTION, MODEL, f"{ORDERS}  include_events: [a]\n"],
            ["attributes.include_events", "the model orders has no events"],
        ),
        (
            [LAKE, CONNECTION, MODEL, f"{ORDERS}  membership: data\n"],
            ["attributes.membership", "'data' cannot place rows of orders", "Use updated_at"],
        ),
        (
            [LAKE, POSTGRES, MODEL, f"{POSTGRES_EXPORT}  write_mode: merge\n"],
            ["attributes.write_mode", "rows of orders have no versions"],
        ),
        (
            [LAKE, POSTGRES, MODEL.replace("Total", "x" * 64), POSTGRES_EXPORT],
            ["attributes.columns", "has 64 bytes, and names on PostgreSQL 63"],
        ),
        (
            [LAKE, POSTGRES, MODEL.replace("Total", "xmin"), POSTGRES_EXPORT],
            ["attributes.columns", "'xmin' is a column of the system on PostgreSQL"],
        ),
        (
            [LAKE, POSTGRES, MODEL.replace("orders", "o" * 60), POSTGRES_EXPORT.replace("orders",
             "o" * 60)],
            ["attributes.table", "has 60 bytes", "Give it 55 at most"],
        ),
        (
            [LAKE, MODEL.replace("Total", "é" * 64), REDSHIFT],
            ["attributes.columns", "has 128 bytes, and names on Redshift 127"],
        ),
        (
            [LAKE, MODEL.replace("name: orders", "name: Orders"), REDSHIFT.replace("orders",
             "Orders")],
            ["attributes.table", "'Orders' is 'orders' to Redshift", "Write orders"],
        ),
        (
            [LAKE, CONNECTION, MODEL, ORDERS, REDSHIFT.replace("name: events_archive", "name: b")
             .replace("  source: lake\n", "  load_from: events_archive\n  delay_seconds: 120\n")],
            ["attributes.columns", "'Total' is 'total' to Redshift", "Leave it out"],
        ),
    ],
)  # fmt: skip
def test_an_export_of_a_model(
    documents: list[str], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = told(tmp_path, monkeypatch, *documents)
    for word in words:
        assert word in message


def test_a_source_without_models_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "type: batch_exports.AmplitudeSource\nattributes: {name: lake, path: .}\n"
    message = told(tmp_path, monkeypatch, MODEL, source)
    assert message.startswith("5 - attributes.table\n")
    assert "the source 'lake' has the models of its own alone" in message


def test_the_lineage_has_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that no export uses as well. An export may have the name of its model."""
    unused = MODEL.replace("name: orders", "name: unused").replace(
        "table: shop/orders", "description: Kept.\n  table: unused"
    )
    export = ORDERS.replace("name: events_archive", "name: orders")
    built = definitions(tmp_path, monkeypatch, LAKE, CONNECTION, MODEL, unused, export)
    specs = {spec.key.to_user_string(): spec for spec in built.resolve_all_asset_specs()}
    model, other = specs["lake/orders"], specs["lake/unused"]
    assert model.metadata["dagster/uri"] == "lake/shop/orders"
    assert model.metadata["table"] == "shop/orders"
    assert other.description == "Kept.\n\nFrom `lake/unused`."
    columns = model.metadata["dagster/column_schema"].columns
    assert [(column.name, column.type) for column in columns] == [
        ("id", "int64"),
        ("Total", "decimal128(18, 2)"),
        ("updated_at", "timestamp[us, tz=UTC]"),
        ("data", "json"),
    ]
    assert columns[0].description == "The order."
    [reference] = model.metadata["dagster/code_references"].code_references
    assert reference.file_path.endswith("a/defs.yaml")
    delivered = specs["s3/orders"]
    assert [dep.asset_key for dep in delivered.deps] == [model.key]
    schema = delivered.metadata["dagster/column_schema"]
    assert [column.name for column in schema.columns] == ["id", "Total", "updated_at", "data"]


def test_redshift_has_names_in_lower_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = definitions(tmp_path, monkeypatch, LAKE, MODEL, REDSHIFT)
    spec = next(s for s in built.resolve_all_asset_specs() if s.key.path[0] == "redshift")
    columns = spec.metadata["dagster/column_schema"].columns
    assert [(column.name, column.type) for column in columns] == [
        ("id", "BIGINT"),
        ("total", "NUMERIC(18,2)"),
        ("updated_at", "TIMESTAMP WITH TIME ZONE"),
        ("data", "VARCHAR(500)"),
    ]
    lineage = spec.metadata["dagster/column_lineage"].deps_by_column
    assert [dep.column_name for dep in lineage["total"]] == ["Total"]


def test_trying_an_export_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = LAKE.replace("path: lake", f"path: {tmp_path}")
    definitions(tmp_path / "defs", monkeypatch, lake, CONNECTION, MODEL, ORDERS)

    def tried() -> list[Result]:
        return list(try_source(find_export("events_archive")))

    assert "has no folder 'shop/orders'" in tried()[0].finding.text
    (tmp_path / "shop" / "orders").mkdir(parents=True)
    (tmp_path / "shop" / "orders" / "a.jsonl").write_text(
        '{"id": 1, "Total": 1.50, "updated_at": "2026-11-01T00:00:00", "data": {}}\n'
    )
    assert [result.finding.verdict for result in tried()] == ["passed", "passed"]
