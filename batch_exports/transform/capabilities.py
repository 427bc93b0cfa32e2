"""What a destination can hold, declared as data for the code that prepares its rows."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class Capabilities:
    """Limits of a destination. Text is UTF-8 everywhere.

    `parses_json`: JSON columns must be JSON, since readers parse them with the row around them;
    where it is false, JSON columns hold any text. `jsonb`: JSON columns become PostgreSQL's jsonb,
    with its limits. `holds_nul`: text may have the character U+0000.

    `holds_nan`: numbers may be NaN or infinite. `years`: the first and the last year that a
    timestamp may lie in (astronomical: 0 is 1 BC); None where all of Arrow's can be held. By
    column, where there is a limit: `characters`, the most that a text, or each of a list, may have;
    `integers`, the least and the greatest number. `required` columns take no NULL, in addition to
    those of which the model says so. `row_bytes`: the most that all values of a row may have.
    """

    parses_json: bool
    jsonb: bool = False
    holds_nul: bool = True
    holds_nan: bool = True
    years: tuple[int, int] | None = None
    characters: Mapping[str, int] = field(default_factory=dict)
    integers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    required: Set[str] = frozenset()
    row_bytes: int | None = None


class OnUnrepresentable(StrEnum):
    """What to do with a value that the destination cannot hold as it is.

    `replace` puts U+FFFD in the place of what is no character, and of U+0000 where it cannot be
    held; values for which no such replacement exists are rejected. `reject` rejects both; `fail`
    ends the run.
    """

    REPLACE = "replace"
    REJECT = "reject"
    FAIL = "fail"
