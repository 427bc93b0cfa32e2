"""A query with the values that its `{name:Type}` stand for, which the server binds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from batch_exports.interval import DataInterval

Value: TypeAlias = int | str | list[int] | list[str]

# Microseconds since 1970 are one moment, whatever zone the server or a column has.
START = "fromUnixTimestamp64Micro({interval_start:Int64}, 'UTC')"
END = "fromUnixTimestamp64Micro({interval_end:Int64}, 'UTC')"
TEAM = "{team_id:Int64}"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Statement:
    """https://clickhouse.com/docs/sql-reference/syntax#defining-and-using-query-parameters"""

    text: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        """As the server is given it: the text, and the values that it names."""
        named = [name for name in self.values if f"{{{name}:" in self.text]
        return "\n".join([self.text.strip(), *(f"-- {n}: {self.values[n]!r}" for n in named)])


def micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def bounds(interval: DataInterval) -> dict[str, Value]:
    """The values that START and END stand for."""
    return {
        "interval_start": micros(interval.start),
        "interval_end": micros(interval.end),
    }


def between(moment: str) -> str:
    """Whether a moment lies in the half-open interval."""
    return f"{moment} >= {START} AND {moment} < {END}"


def utc(moment: str) -> str:
    """A moment of any of ClickHouse's types, to the microsecond."""
    return f"toDateTime64({moment}, 6, 'UTC')"


def identifier(*names: str) -> str:
    """Names quoted, with a point between them.

    https://clickhouse.com/docs/sql-reference/syntax#identifiers
    """
    return ".".join(f"`{_escaped(name)}`" for name in names)


def named(expressions: Mapping[str, str], names: Sequence[str]) -> str:
    """What stands after SELECT for the named ones."""
    return ",\n    ".join(f"{expressions[name]} AS {identifier(name)}" for name in names)


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")
