"""What a destination can hold, declared as data for the code that prepares its rows."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class SuperLimits:
    """What a column of Redshift's type SUPER takes, as far as it may differ between clusters.

    `string_bytes`: the most UTF-8 bytes of a string, without its escapes: 65,535, or 16,000,000
    where large strings were opted into. `document_bytes`: the most of a whole document as text; a
    stage of VARBYTE takes 16,777,216. `levels`: how deep arrays and objects may be nested.
    https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html
    """

    string_bytes: int = 65_535
    document_bytes: int = 16_777_216
    levels: int = 1_000


@dataclass(frozen=True)
class Capabilities:
    """Limits of a destination. Text is UTF-8 everywhere.

    `parses_json`: JSON columns must be JSON, since readers parse them with the row around them;
    where it is false, JSON columns hold any text. `jsonb`: JSON columns become PostgreSQL's jsonb,
    with its limits. `holds_nul`: text may have the character U+0000.

    `holds_nan`: numbers may be NaN or infinite. `years`: the first and the last year that a
    timestamp may lie in (astronomical: 0 is 1 BC); None where all of Arrow's can be held. By
    column, where there is a limit: `characters`, the most that a text, or each of a list, may have;
    `bytes`, the most UTF-8 bytes of a text, of JSON kept as text, or of a list kept as JSON text;
    `integers`, the least and the greatest number; `decimals`, how many digits a decimal number may
    have, and how many of them after its point. `supers`: columns of JSON, or lists of text, that
    become Redshift's SUPER, with its limits. `required` columns take no NULL, in addition to those
    of which the model says so. `row_bytes`: the most that all values of a row may have.
    """

    parses_json: bool
    jsonb: bool = False
    holds_nul: bool = True
    holds_nan: bool = True
    years: tuple[int, int] | None = None
    characters: Mapping[str, int] = field(default_factory=dict)
    bytes: Mapping[str, int] = field(default_factory=dict)
    integers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    decimals: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    supers: Mapping[str, SuperLimits] = field(default_factory=dict)
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
