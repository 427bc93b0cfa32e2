"""What a delivery would do at its destination, told beforehand: nothing is written, or made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """`what` is done, in words; `text` is the statement, without secrets, or the object."""

    what: str
    text: str


@dataclass(frozen=True)
class Planned:
    """`columns` are the types at the destination of those that are delivered: as they are there, or
    as they would be made. `differences` tell in words where what is there is not as the export
    would make it; `obstacle` why a delivery would fail, and what to do. `way` is how rows get
    there, and why so.
    """

    place: str
    columns: Mapping[str, str]
    steps: Sequence[Step]
    differences: Sequence[str] = ()
    obstacle: str = ""
    way: str = ""
