"""What a destination can hold, declared as data for the code that prepares its rows."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Capabilities:
    """Limits of a destination. Text is UTF-8 everywhere.

    `parses_json`: JSON columns must be JSON, since readers parse them with the row around them;
    where it is false, JSON columns hold any text. `years`: the first and the last year that a
    timestamp may lie in; None where all of Arrow's can be held.
    """

    parses_json: bool
    years: tuple[int, int] | None = None


class OnUnrepresentable(StrEnum):
    """What to do with a value that the destination cannot hold as it is.

    `replace` puts U+FFFD in the place of bytes and escapes that are no characters; values for which
    no such replacement exists are rejected. `reject` rejects both; `fail` ends the run.
    """

    REPLACE = "replace"
    REJECT = "reject"
    FAIL = "fail"
