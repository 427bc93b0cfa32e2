"""Types that a user chooses for columns of tables that are made."""

import pyarrow as pa
import pytest

from batch_exports.destinations.postgres import types as postgres
from batch_exports.destinations.redshift import types as redshift
from batch_exports.models import JSON, TIMESTAMP, Column
from batch_exports.models.declared_types import VOCABULARY, declared_type

MONEY = pa.decimal128(18, 2)
TEXTS = pa.list_(pa.string())


@pytest.mark.parametrize(
    ("written", "type_", "fits"),
    [
        ("varchar(10485760)", pa.string(), True),
        ("VARCHAR(10485761)", pa.string(), False),
        ("VARCHAR(0)", pa.string(), False),
        ("VARCHAR(3, 4)", pa.string(), False),
        ("CHARACTER  VARYING ( 20 )", pa.string(), True),
        ("TEXT(3)", pa.string(), False),
        ("CHAR(10)", pa.string(), False),
        ("TEXT COLLATE x", pa.string(), False),
        ("VARCHAR(200)[]", TEXTS, True),
        ("TEXT", TEXTS, False),
        ("SMALLINT", pa.int64(), True),
        ("REAL", pa.float64(), False),
        ("DOUBLE PRECISION", pa.float32(), True),
        ("NUMERIC", MONEY, True),
        ("DECIMAL(20,3)", MONEY, True),
        ("NUMERIC(18,1)", MONEY, False),
        ("NUMERIC(18)", MONEY, False),
        ("JSON", JSON, True),
        ("TIMESTAMPTZ", TIMESTAMP, True),
        ("TIMESTAMPTZ(3)", TIMESTAMP, False),
        ("TIMESTAMP", TIMESTAMP, False),
        ("DATE", pa.date32(), True),
        ("TIMESTAMPTZ", pa.date32(), False),
        ("TEXT); DROP TABLE t; --", pa.string(), False),
    ],
)
def test_of_postgres(written: str, type_: pa.DataType, fits: bool) -> None:
    assert postgres.can_be_made(written, type_) is fits


@pytest.mark.parametrize(
    ("written", "type_", "fits"),
    [
        ("varchar(65535)", pa.string(), True),
        ("VARCHAR(65536)", pa.string(), False),
        ("VARCHAR(MAX)", pa.string(), False),
        ("TEXT", pa.string(), False),
        ("SUPER", JSON, True),
        ("VARCHAR(100)", JSON, True),
        ("SUPER", TEXTS, True),
        ("VARCHAR[]", TEXTS, False),
        ("INTEGER", pa.int64(), True),
        ("NUMERIC(38,37)", MONEY, True),
        ("DECIMAL(39,2)", MONEY, False),
        ("TIMESTAMP", TIMESTAMP, True),
        ("TIMESTAMP", JSON, False),
        ("TIMESTAMP WITHOUT TIME ZONE", TIMESTAMP, False),
        ("TIMESTAMPTZ", TIMESTAMP, True),
        ("DATE", pa.date32(), True),
        ("SUPER; DROP", JSON, False),
    ],
)
def test_of_redshift(written: str, type_: pa.DataType, fits: bool) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html"""
    assert redshift.can_be_made(written, Column("c", type_, "")) is fits


@pytest.mark.parametrize("name", [*VOCABULARY, "numeric(18, 2)", "NUMERIC(38,37)", "numeric(5)"])
def test_the_usual_type_of_each_column_holds_its_values(name: str) -> None:
    declared = VOCABULARY.get(name) or declared_type(name, "type")
    column = Column("c", declared.arrow, "", types=declared.types)
    assert postgres.can_be_made(postgres.made_type(column), column.type)
    assert redshift.can_be_made(redshift.made_type(column), column)
    assert postgres.types_to_make(column.type)
    assert redshift.types_to_make(column)
