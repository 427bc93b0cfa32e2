"""Columns of lists, whose elements are changed all at once."""

import pyarrow as pa
import pyarrow.compute as pc


def with_elements(lists: pa.Array, elements: pa.Array) -> pa.ListArray:
    """The same lists with other elements, which stand as `lists.flatten()` gives the old ones.

    Lists of all of Arrow's types become plain ones. NULL stays NULL.
    """
    lengths = pc.fill_null(pc.list_value_length(lists), 0).cast(pa.int32())
    offsets = pc.cumulative_sum(pa.concat_arrays([pa.array([0], pa.int32()), lengths]))
    return pa.ListArray.from_arrays(offsets, elements, mask=pc.is_null(lists))
