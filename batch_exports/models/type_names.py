"""How types of columns are called where people read them."""

import pyarrow as pa

from batch_exports.models.model import JSON


def type_name(type_: pa.DataType) -> str:
    """Arrow's name of a type, with JSON called what it is, and lists without a name of elements.

    Arrow calls the elements otherwise than Parquet does, which tells nothing.
    """
    if type_.equals(JSON):
        return "json"
    if pa.types.is_list(type_):
        return f"list<{type_name(type_.value_type)}>"
    return str(type_)
