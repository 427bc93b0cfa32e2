"""The page about models that users declare: fields, and the types that columns may have."""

from batch_exports.components.custom_model import ColumnModel, CustomModel
from batch_exports.destinations.postgres import types as postgres
from batch_exports.destinations.redshift import types as redshift
from batch_exports.models import Column, type_name
from batch_exports.models.declared_types import VOCABULARY, DeclaredType
from docs.fields import code, field_table, paragraphs, table


def declared_models() -> str:
    rows = [
        (code(name), declared.meaning, *_types(name, declared))
        for name, declared in VOCABULARY.items()
    ]
    return f"""
# Custom models

{paragraphs(CustomModel.__doc__)}

See [how to declare one](../howto/custom-models.md).

## batch_exports.CustomModel

{field_table(CustomModel.model_fields)}

### columns

{field_table(ColumnModel.model_fields)}

## Types of columns

These are the types that every destination delivers. In files they are Arrow's, as
[Parquet and JSON lines](s3-files.md#types) write them; in tables that an export makes they are the
database's. Their names may be in capitals.

{table(("type", "values", "in files", "PostgreSQL", "Redshift", "in a key", "as a version"), rows)}

`smallint` and `integer` are checked where a table is written: a value beyond is rejected there, and
stands in files as it is. On Redshift the type of `json` is the export's `semi_structured_type`.
"""


def _types(name: str, declared: DeclaredType) -> tuple[str, ...]:
    column = Column(name, declared.arrow, "", types=declared.types)
    made = (type_name(declared.arrow), postgres.made_type(column), redshift.made_type(column))
    if name == "numeric(p, s)":
        made = ("decimal128(p, s)", "NUMERIC(p, s)", "NUMERIC(p,s)")
    return (
        *map(code, made),
        "yes" if declared.in_keys else "",
        "yes" if declared.ordered else "",
    )
