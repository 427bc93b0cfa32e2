"""How columns differ from those that were approved, as a diff that people read."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from batch_exports.sources.found_columns import FoundColumn, FoundColumns

End = Literal["source", "destination"]
Kind = Literal["added", "removed", "type", "nullability", "order"]

_SIGNS: dict[Kind, str] = {"added": "+", "removed": "-"}


@dataclass(frozen=True)
class Difference:
    """`before` and `now` are in words. An order has the columns between the first and the last that
    moved, and no `column`. `exported` tells that the export needs the column."""

    end: End
    kind: Kind
    column: str
    before: str
    now: str
    exported: bool

    @property
    def breaks(self) -> bool:
        """Whether rows may no longer arrive as they did: else they are delivered exactly."""
        return self.exported and self.kind in ("removed", "type")

    @property
    def what(self) -> str:
        """In words, for people."""
        if self.kind == "order":
            return "other order"
        told = f"other {self.kind}" if self.kind in ("type", "nullability") else self.kind
        return told if self.exported else f"{told}, not exported"

    def __str__(self) -> str:
        """A line of a diff."""
        values = " -> ".join(each for each in (self.before, self.now) if each)
        sign = _SIGNS.get(self.kind, "~")
        return f"{sign} {self.end:<12} {self.column or 'columns'}  {values}  ({self.what})"


def differences(
    end: End, before: FoundColumns, now: FoundColumns, exported: Collection[str] | None
) -> list[Difference]:
    """Columns that came and went, and others of which something differs; in the order of the place.

    `exported` are those that the export needs; None where it takes whatever there is. What a sample
    lacks may be in other rows: it is told of none that went.
    """
    old, new = before.by_name(), now.by_name()
    sampled = before.sampled or now.sampled

    def one(kind: Kind, name: str, was: object, becomes: object) -> Difference:
        needed = exported is None or name in exported
        return Difference(end, kind, name, str(was), str(becomes), needed)

    found = [one("removed", name, old[name], "") for name in old if name not in new and not sampled]
    for name, column in new.items():
        if name not in old:
            found.append(one("added", name, "", column))
        elif kind := _changed(old[name], column, sampled=sampled):
            found.append(one(kind, name, old[name], column))
    if not sampled:
        found += _moved(end, [n for n in old if n in new], [n for n in new if n in old])
    return found


def table(found: Iterable[Difference]) -> str:
    """As a table of Markdown."""
    lines = [
        f"| {each.end} | {_cell(each.column)} | {each.what} | {_cell(each.before)} | "
        f"{_cell(each.now)} |"
        for each in found
    ]
    return "\n".join(
        ["| where | column | what | approved | now |", "| --- | --- | --- | --- | --- |", *lines]
    )


def _changed(before: FoundColumn, now: FoundColumn, *, sampled: bool) -> Kind | None:
    """What of a column is other than it was. A sample need not show each kind of its values."""
    if sampled:
        return "type" if before.kinds and now.kinds - before.kinds else None
    if before.type != now.type:
        return "type"
    known = before.nullable is not None and now.nullable is not None
    return "nullability" if known and before.nullable != now.nullable else None


def _moved(end: End, before: Sequence[str], now: Sequence[str]) -> list[Difference]:
    """The columns that both have, from the first to the last that stands elsewhere."""
    apart = [n for n, (one, other) in enumerate(zip(before, now, strict=True)) if one != other]
    if not apart:
        return []
    span = slice(apart[0], apart[-1] + 1)
    return [Difference(end, "order", "", ", ".join(before[span]), ", ".join(now[span]), False)]


def _cell(text: str) -> str:
    return "`" + text.replace("|", r"\|").replace("`", "'") + "`" if text else ""
