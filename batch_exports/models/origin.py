"""Where a source finds the rows of a model that a user declared."""

from dataclasses import dataclass

INTERVAL_START, INTERVAL_END = "{data_interval_start}", "{data_interval_end}"


@dataclass(frozen=True)
class Table:
    """A table by its name and schema as the source has them; in a lake, a folder and no schema."""

    name: str
    schema: str | None = None


@dataclass(frozen=True)
class Query:
    """A SELECT in the source's own SQL, with `{data_interval_start}` and `{data_interval_end}`
    where the interval's bounds are to be bound. It yields the rows of that interval and no others.
    """

    text: str
