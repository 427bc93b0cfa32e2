"""What converting a column leaves: values for the target, and those that did not fit."""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.transform.json_text import positions_mask


@dataclass(frozen=True)
class Fault:
    """A value that its column cannot hold.

    Codes are those of https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html.
    """

    position: int
    code: int
    reason: str


@dataclass(frozen=True)
class Converted:
    """A column in the form of its target. Where there is a fault the value has no meaning."""

    values: pa.Array
    faults: list[Fault] = field(default_factory=list)


def faults_where(mask: pa.Array, code: int, reason: str) -> list[Fault]:
    """A fault of the same kind at each position where the mask is true."""
    return [Fault(position, code, reason) for position in pc.indices_nonzero(mask).to_pylist()]


def without(values: pa.Array, faults: list[Fault]) -> pa.Array:
    """The column with NULL in the place of each fault."""
    if not faults:
        return values
    positions = sorted({fault.position for fault in faults})
    return pc.if_else(positions_mask(positions, len(values)), None, values)


def lost(before: pa.Array, after: pa.Array) -> pa.Array:
    """Where a conversion made NULL of a value."""
    return pc.and_(pc.is_valid(before), pc.is_null(after))
