"""The columns that a COPY fills."""

from dataclasses import dataclass

LONGEST_TEXT = 65_535
"""Bytes of the longest VARCHAR."""

LONGEST_BINARY = 16_777_216
"""Bytes of the longest VARBYTE: https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html"""


@dataclass(frozen=True)
class TargetColumn:
    """A column of the target as Redshift's catalog knows it.

    `type` is one of varchar, char, super, varbyte, int2, int4, int8, bool, float4, float8, numeric,
    timestamp, timestamptz, date. `length` is in bytes; None where the type has none.
    """

    name: str
    type: str
    length: int | None = None
    nullable: bool = True
    precision: int | None = None
    scale: int | None = None

    @property
    def bytes(self) -> int:
        """How many bytes a value of a text or binary column may have."""
        return self.length or (LONGEST_BINARY if self.type == "varbyte" else LONGEST_TEXT)

    @property
    def dimension(self) -> str:
        """What stands in parentheses behind the type, as stl_load_errors shows it."""
        if self.type == "numeric":
            return f"{self.precision},{self.scale}"
        return "" if self.length is None else str(self.length)

    @property
    def typname(self) -> str:
        """The name of the type that holds the column's values in PostgreSQL."""
        return {"super": "text", "varbyte": "bytea", "char": "bpchar"}.get(self.type, self.type)
