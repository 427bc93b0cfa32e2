"""What a table of Redshift's must hold where it holds something else than PostgreSQL's would."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from batch_exports_tests.destinations.property.expected import Held, Presence, Sending, Staged
from batch_exports_tests.destinations.property.source import Landed, Shape


@dataclass(frozen=True)
class _Told:
    """What the ledger tells of an interval."""

    rows: int
    left_behind: int
    taken_over: int


@dataclass(frozen=True)
class ByKeys:
    """Rows that nothing but their keys tells apart: what is delivered takes the place of all rows
    with the same keys, whoever wrote them, and rows whose keys the source has no longer stay."""

    shape: Shape
    held: tuple[Held, ...] = ()
    told: Mapping[int, _Told] = field(default_factory=dict)

    is_exact = False
    counts_rejected = True
    looks_deeper = False

    @property
    def keys(self) -> list[Landed]:
        return sorted({self._key(held) for held in self.held})

    def delivered(self, interval: int, sending: Sending) -> "ByKeys":
        """The ledger tells how many rows were written; which, nobody knows. Where users have
        deleted some, fewer are left than it tells."""
        keys = {self.shape.key_of(row) for row in sending.rows} | sending.rejected
        kept = [held for held in self.held if self._key(held) not in keys]
        gone = len(self.held) - len(kept)
        own = self.told.get(interval, _Told(0, 0, 0))
        written = own.rows + own.left_behind
        elsewhere = sum(t.rows + t.left_behind for n, t in self.told.items() if n != interval)
        told = _Told(
            len(sending.rows),
            left_behind=max(0, min(written - gone, len(kept) - elsewhere)),
            taken_over=max(0, gone - written),
        )
        held = (*kept, *(Held(row, interval, None) for row in sending.rows))
        return replace(self, held=held, told={**self.told, interval: told})

    def doubled(self, key: Landed) -> "ByKeys":
        copies = [replace(held, interval=None) for held in self.held if self._key(held) == key]
        return replace(self, held=(*self.held, *copies))

    def lost(self, key: Landed) -> "ByKeys":
        return replace(self, held=tuple(held for held in self.held if self._key(held) != key))

    def find(self, found: Counter[Landed]) -> "ByKeys | None":
        return self if found == Counter(held.landed for held in self.held) else None

    def of(self, interval: int, staged: Iterable[Staged], *, rows: int, deep: bool) -> Presence:
        keys = {key for key, _ in staged}
        found = [key for held in self.held if (key := self._key(held)) in keys]
        return Presence(len(found), len(found), duplicates=len(found) - len({*found}))

    def strangers(self, interval: int) -> int:
        return self.told[interval].left_behind + self.told[interval].taken_over

    @property
    def left_behind(self) -> int:
        """How many rows there are that were delivered once and belong to no interval now, as the
        ledger tells."""
        return sum(told.left_behind for told in self.told.values())

    def _key(self, held: Held) -> Landed:
        return self.shape.key_of(held.landed)


@dataclass(frozen=True)
class Appended:
    """Rows of every run, once a run."""

    shape: Shape
    held: tuple[Held, ...] = ()

    is_exact = False
    counts_rejected = False
    looks_deeper = False

    @property
    def keys(self) -> list[Landed]:
        return sorted({self.shape.key_of(held.landed) for held in self.held})

    def delivered(self, interval: int, sending: Sending) -> "Appended":
        more = [] if sending.again else [Held(row, interval, interval) for row in sending.rows]
        return replace(self, held=(*self.held, *more))

    def doubled(self, key: Landed) -> "Appended":
        copies = [held for held in self.held if self.shape.key_of(held.landed) == key]
        return replace(self, held=(*self.held, *copies))

    def lost(self, key: Landed) -> "Appended":
        kept = [held for held in self.held if self.shape.key_of(held.landed) != key]
        return replace(self, held=tuple(kept))

    def find(self, found: Counter[Landed]) -> "Appended | None":
        return self if found == Counter(held.landed for held in self.held) else None

    def of(self, interval: int, staged: Iterable[Staged], *, rows: int, deep: bool) -> Presence:
        found = [self.shape.key_of(held.landed) for held in self.held if held.arrived == interval]
        return Presence(len(found), len(found), duplicates=len(found) - len({*found}))

    def strangers(self, interval: int) -> int:
        return 0
