"""Columns as they are found at one end of an export: at its source, or where it delivers."""

from collections.abc import Iterable
from dataclasses import dataclass

_OR = " or "


@dataclass(frozen=True)
class FoundColumn:
    """`type` is as the place itself writes it; of a sample, the kinds of its values, joined by
    "or". `nullable` is None where the place does not tell."""

    name: str
    type: str
    nullable: bool | None = None

    @classmethod
    def of_kinds(cls, name: str, kinds: Iterable[str]) -> "FoundColumn":
        return cls(name, _OR.join(sorted(kinds)))

    @property
    def kinds(self) -> frozenset[str]:
        """None of a column without a value in the sample."""
        return frozenset(self.type.split(_OR)) if self.type else frozenset()

    def __str__(self) -> str:
        return f"{self.type or 'no value'}{' NOT NULL' if self.nullable is False else ''}"


@dataclass(frozen=True)
class FoundColumns:
    """In the order of the place. Those that are `sampled` are of some rows alone, as of JSON lines:
    other rows may have more, and the order tells nothing."""

    columns: tuple[FoundColumn, ...]
    sampled: bool = False

    def by_name(self) -> dict[str, FoundColumn]:
        return {column.name: column for column in self.columns}

    def with_known(self, before: "FoundColumns | None") -> "FoundColumns":
        """What was found; of a sample also what was known before, which these rows do not tell."""
        if before is None or not (self.sampled and before.sampled):
            return self
        found, known = self.by_name(), before.by_name()
        both = (
            FoundColumn.of_kinds(
                name, {k for each in (found, known) if name in each for k in each[name].kinds}
            )
            for name in {**known, **found}
        )
        return FoundColumns(tuple(both), sampled=True)
