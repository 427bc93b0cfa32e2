"""Rows that a source leaves out because no row of the model can be made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from batch_exports.interval import DataInterval
from batch_exports.sources.source import Selection


@dataclass(frozen=True)
class Rejections:
    """`rows` are counted by the reason, as people read it; `examples` are keys of some of them.
    `where` names what keeps them all."""

    rows: Mapping[str, int] = field(default_factory=dict)
    examples: Sequence[str] = ()
    where: str = ""


@runtime_checkable
class RejectingSource(Protocol):
    """A source that may leave rows out, and keeps them."""

    def rejections(self, selection: Selection, interval: DataInterval) -> Rejections:
        """What it left out of an interval that was read. Raises as `Source` does."""
        ...
