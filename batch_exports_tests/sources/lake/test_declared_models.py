"""Declared models in a lake: the folder of their table, and each type out of JSON lines."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from batch_exports.errors import Terminal
from batch_exports.models import Table
from batch_exports.models.declared_model import DeclaredColumn, declared_model
from batch_exports.models.declared_types import VOCABULARY
from batch_exports.sources.source import Selection
from batch_exports_tests.sources.lake.lakes import START, lake, minutes, read

TYPES = {
    name: name.replace("p, s", "5, 2") for name in VOCABULARY if name not in ("timestamp", "text")
}
MODEL = declared_model(
    "orders",
    "Orders.",
    [
        DeclaredColumn("id", "text", nullable=False),
        DeclaredColumn("at", "timestamp"),
        *(DeclaredColumn(name, type_) for name, type_ in TYPES.items()),
    ],
    key=["id"],
    versions=[],
    membership=["at"],
    origin=Table("shop/orders"),
)
SELECTION = Selection(MODEL, MODEL.select((), "s3"), "at")
VALUES = {
    "boolean": ("true", True),
    "smallint": ("-1", -1),
    "integer": ("2147483647", 2**31 - 1),
    "bigint": ("9223372036854775807", 2**63 - 1),
    "real": ("0.5", 0.5),
    "double": ("0.1", 0.1),
    "numeric(p, s)": ("-123.4", Decimal("-123.40")),
    "date": ('"2024-02-29"', date(2024, 2, 29)),
    "json": ('{"a": 1.10}', '{"a": 1.10}'),
    "text[]": ('["a", null]', ["a", None]),
}


def put(root: Path, **given: str) -> None:
    members = {"id": '"1"', "at": '"2026-11-01T00:30:00Z"', **given}
    folder = root / "shop" / "orders" / "2026"
    folder.mkdir(parents=True, exist_ok=True)
    text = ", ".join(f'"{name}": {raw}' for name, raw in members.items())
    (folder / "a.jsonl").write_text(f"{{{text}}}\n")


def test_each_type(tmp_path: Path) -> None:
    put(tmp_path, **{name: raw for name, (raw, _) in VALUES.items()})
    [found] = read(lake(tmp_path), SELECTION, minutes(0, 60))
    assert found.pop("at") == START.replace(minute=30)
    assert found == {"id": "1", **{name: value for name, (_, value) in VALUES.items()}}


def test_what_is_absent_is_null(tmp_path: Path) -> None:
    put(tmp_path)
    [found] = read(lake(tmp_path), SELECTION, minutes(0, 60))
    assert {name for name, value in found.items() if value is not None} == {"id", "at"}


@pytest.mark.parametrize(
    ("name", "raw", "problem"),
    [
        ("date", '"2026-02-30"', "'date' holds a value that is not a day"),
        ("date", '"2026-11-01T00:00:00"', "'date' holds a value that is not a day"),
        ("date", "20260101", "line 1: 'date' is 20260101"),
        ("numeric(p, s)", "0.125", "has what is no decimal128(5, 2)"),
        ("numeric(p, s)", "1000", "has what is no decimal128(5, 2)"),
        ("smallint", "1.5", "line 1: 'smallint' is 1.5"),
    ],
)
def test_values_of_another_type(tmp_path: Path, name: str, raw: str, problem: str) -> None:
    put(tmp_path, **{name: raw})
    with pytest.raises(Terminal) as caught:
        read(lake(tmp_path), SELECTION, minutes(0, 60))
    assert problem in caught.value.message
