"""What Redshift reads from Parquet is what was exported."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.models import JSON, TIMESTAMP
from batch_exports.transform.json_arrays import GROWTH, json_arrays
from batch_exports.transform.redshift_rows import for_parquet

TEXTS = st.none() | st.text(max_size=4) | st.text('\\"/\0\n\x1f\x7fé😀u', max_size=6)
LISTS = st.lists(st.none() | st.lists(TEXTS, max_size=4), max_size=6)
NOW = 1_793_491_200_123_456


def documents(*texts: str | None) -> pa.Array:
    return pa.ExtensionArray.from_storage(JSON, pa.array(texts, pa.string()))


@given(LISTS, st.integers(0, 2))
def test_lists_become_json_arrays(lists: list[Any], offset: int) -> None:
    values = pa.array([["\x01\\"]] * offset + lists, pa.list_(pa.string()))[offset:]
    texts = json_arrays(values).to_pylist()
    assert [None if text is None else json.loads(text) for text in texts] == lists
    for text, elements in zip(texts, lists, strict=True):
        if text is not None:
            spelled = json.dumps(elements, ensure_ascii=False, separators=(",", ":"))
            assert text == spelled
            most = sum(GROWTH * len((e or "").encode()) + 5 for e in elements)
            assert len(text.encode()) <= most + 2


def test_rows_survive_parquet(tmp_path: Path) -> None:
    """JSON and lists as text, in binary for VARBYTE; moments without a zone, which COPY reads not:
    https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html"""
    urls = [["a\n", None], [], None]
    schema = pa.schema(
        [
            pa.field("uuid", pa.string(), nullable=False),
            pa.field("properties", JSON),
            pa.field("elements", JSON),
            pa.field("urls", pa.list_(pa.string())),
            pa.field("names", pa.list_(pa.string())),
            pa.field("timestamp", TIMESTAMP),
            pa.field("vitals_lcp", pa.float64()),
            pa.field("amount", pa.decimal128(38, 9)),
            pa.field("is_bounce", pa.bool_()),
            pa.field("team_id", pa.int64()),
        ]
    )
    columns = [
        pa.array(["a", "b", "c"]),
        documents('{"a": 1.10}', None, '"é"'),
        documents("[]", None, "{}"),
        pa.array(urls, pa.list_(pa.string())),
        pa.array(urls, pa.list_(pa.string())),
        pa.array([NOW, None, -1], pa.int64()).cast(TIMESTAMP),
        pa.array([-0.0, None, 1e300]),
        pa.array([None, 1, -2]).cast(pa.decimal128(38, 9)),
        pa.array([True, None, False]),
        pa.array([1, None, -(2**63)]),
    ]
    rows = for_parquet(
        pa.RecordBatch.from_arrays(columns, schema=schema), {"properties", "urls", "absent"}
    )
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_batches([rows]), path, compression="zstd")
    landed = pq.read_table(path)
    assert [str(field.type) for field in landed.schema] == [
        *("string", "binary", "string", "binary", "string", "timestamp[us]", "double"),
        *("decimal128(38, 9)", "bool", "int64"),
    ]
    assert [field.nullable for field in rows.schema] == [False] + [True] * 9
    assert landed["properties"].to_pylist() == [b'{"a": 1.10}', None, '"é"'.encode()]
    assert landed["elements"].to_pylist() == ["[]", None, "{}"]
    assert landed["urls"].to_pylist() == [b'["a\\n",null]', b"[]", None]
    assert landed["names"].to_pylist() == ['["a\\n",null]', "[]", None]
    assert landed["timestamp"].cast(pa.int64()).to_pylist() == [NOW, None, -1]
    for name in ("uuid", "vitals_lcp", "amount", "is_bounce", "team_id"):
        assert landed[name].combine_chunks().equals(columns[schema.get_field_index(name)])


def test_only_documents_become_super() -> None:
    with pytest.raises(TypeError, match="n: no way to make SUPER of int64"):
        for_parquet(pa.record_batch({"n": [1]}), {"n"})
