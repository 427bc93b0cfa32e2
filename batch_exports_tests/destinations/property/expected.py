"""What a table must hold after deliveries, told from the rows that were sent and nothing else."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from batch_exports_tests.destinations.property.source import (
    Finding,
    Landed,
    Shape,
    SourceRow,
)

Staged = tuple[Landed, Landed]
"""The key and the versions of a row at the source, as they land."""


@dataclass(frozen=True)
class Sending:
    """A delivery of an interval as the table takes it in: `rows` land, those of the keys `rejected`
    do not. The delivery `before` it had so many rows; with `again` it was the same run's."""

    rows: Sequence[Landed]
    rejected: frozenset[Landed] = frozenset()
    before: int = 0
    again: bool = False


@dataclass(frozen=True)
class Presence:
    """What an inspection must find: the interval's rows in the table, as they are `counted`, and as
    their keys are looked at; how many of these stand twice; how many are older than the source's.
    """

    counted: int
    rows: int
    duplicates: int = 0
    stale: int = 0


class Table(Protocol):
    """What is in a table, and what comes of it."""

    @property
    def shape(self) -> Shape: ...

    @property
    def is_exact(self) -> bool:
        """Whether after each delivery of what the source has, an inspection finds all in order."""
        ...

    @property
    def counts_rejected(self) -> bool:
        """Whether rows are found by the keys of rows as well that were rejected."""
        ...

    @property
    def looks_deeper(self) -> bool:
        """Whether a deep inspection may find other rows than a shallow one."""
        ...

    @property
    def keys(self) -> list[Landed]:
        """Those that stand in the table."""
        ...

    def delivered(self, interval: int, sending: Sending) -> Self: ...

    def doubled(self, key: Landed) -> Self:
        """A user put a copy of each row with the key beside it, where none is merged."""
        ...

    def lost(self, key: Landed) -> Self:
        """A user deleted all rows with the key."""
        ...

    def find(self, found: Counter[Landed]) -> Self | None:
        """This with the rows that were found, if they may be its own."""
        ...

    def of(self, interval: int, staged: Iterable[Staged], *, rows: int, deep: bool) -> Presence:
        """`staged` are the interval's rows at the source, of which `rows` were delivered."""
        ...

    def strangers(self, interval: int) -> int:
        """How many rows the interval's delivery left that it should not have, or took over."""
        ...


@dataclass(frozen=True)
class Held:
    """A row of the table, and the interval that delivered it: None where a user put it there.

    `arrived` is the interval that the row itself tells.
    """

    landed: Landed
    interval: int | None
    arrived: int | None


@dataclass(frozen=True)
class Replaced:
    """Events: what is delivered takes the place of the interval's last delivery.

    In a table that `made_by_user`, and where users deleted rows of that delivery, it takes the
    place of users' rows with its keys as well.
    """

    shape: Shape
    made_by_user: bool
    held: tuple[Held, ...] = ()

    is_exact = True
    counts_rejected = False

    @property
    def looks_deeper(self) -> bool:
        return not self.shape.by_range

    @property
    def keys(self) -> list[Landed]:
        return sorted({self._key(held) for held in self.held})

    def delivered(self, interval: int, sending: Sending) -> "Replaced":
        rows, before = sending.rows, sending.before
        if self.shape.by_range:
            kept = [held for held in self.held if held.arrived != interval]
            by_key = any(held.arrived is None for held in kept)
        else:
            kept = [held for held in self.held if held.interval != interval]
            by_key = self.made_by_user or len(self.held) - len(kept) < before
        keys = {self.shape.key_of(landed) for landed in rows} if by_key else set()
        kept = [h for h in kept if h.interval is not None or self._key(h) not in keys]
        return replace(self, held=(*kept, *(Held(row, interval, interval) for row in rows)))

    def doubled(self, key: Landed) -> "Replaced":
        """A user put a copy of each row with the key beside it."""
        copies = [replace(held, interval=None) for held in self.held if self._key(held) == key]
        return replace(self, held=(*self.held, *copies))

    def lost(self, key: Landed) -> "Replaced":
        """A user deleted all rows with the key."""
        return replace(self, held=tuple(held for held in self.held if self._key(held) != key))

    def find(self, found: Counter[Landed]) -> "Replaced | None":
        """This, if these rows are its own."""
        return self if found == Counter(held.landed for held in self.held) else None

    def of(self, interval: int, staged: Iterable[Staged], *, rows: int, deep: bool) -> Presence:
        """`staged` are the interval's rows at the source, of which `rows` were delivered.

        Where nothing in them tells the interval, they are found by their keys if that is `deep`,
        or if some of those that were delivered are missing.
        """
        if self.shape.by_range:
            found = [self._key(held) for held in self.held if held.arrived == interval]
        else:
            found = [self._key(held) for held in self.held if held.interval == interval]
            if deep or len(found) != rows:
                keys = {key for key, _ in staged}
                here = [held for held in self.held if held.interval in (interval, None)]
                found = [key for held in here if (key := self._key(held)) in keys]
        return Presence(len(found), len(found), duplicates=len(found) - len({*found}))

    def strangers(self, interval: int) -> int:
        return 0

    def _key(self, held: Held) -> Landed:
        return self.shape.key_of(held.landed)


@dataclass(frozen=True)
class Newest:
    """The row of a key: one of those that came in this version at first; a user's has none."""

    version: Landed | None
    rows: frozenset[Landed]


@dataclass(frozen=True)
class Merged:
    """Persons and sessions: of each key the newest row that was ever delivered."""

    shape: Shape
    newest: Mapping[Landed, Newest] = field(default_factory=dict)

    is_exact = True
    counts_rejected = False
    looks_deeper = False

    @property
    def keys(self) -> list[Landed]:
        return sorted(self.newest)

    def delivered(self, interval: int, sending: Sending) -> "Merged":
        """Of equally new rows any counts, unless there is one already."""
        coming: dict[Landed, list[Landed]] = {}
        for row in sending.rows:
            same = coming.setdefault(self.shape.key_of(row), [])
            if same and self.shape.version_of(row) > self.shape.version_of(same[0]):
                same.clear()
            if not same or self.shape.version_of(row) == self.shape.version_of(same[0]):
                same.append(row)
        newer = {
            key: Newest(self.shape.version_of(same[0]), frozenset(same))
            for key, same in coming.items()
            if self._is_older(key, self.shape.version_of(same[0]))
        }
        return replace(self, newest={**self.newest, **newer})

    def doubled(self, key: Landed) -> "Merged":
        raise NotImplementedError

    def lost(self, key: Landed) -> "Merged":
        """A user deleted the row with the key."""
        return replace(self, newest={k: row for k, row in self.newest.items() if k != key})

    def find(self, found: Counter[Landed]) -> "Merged | None":
        """This with the rows that were found, if they may be its own."""
        rows = {self.shape.key_of(row): row for row in found}
        if len(rows) != found.total() or rows.keys() != self.newest.keys():
            return None
        if any(row not in self.newest[key].rows for key, row in rows.items()):
            return None
        newest = {
            key: replace(self.newest[key], rows=frozenset([row])) for key, row in rows.items()
        }
        return replace(self, newest=newest)

    def changes(self, after: "Merged") -> int:
        """How many rows a delivery has changed that led to `after`."""
        pairs = [(self.newest.get(key), row) for key, row in after.newest.items()]
        return sum(before is None or before.version != row.version for before, row in pairs)

    def of(self, interval: int, staged: Iterable[Staged], *, rows: int, deep: bool) -> Presence:
        """`staged` are the interval's rows at the source."""
        here = [(key, version) for key, version in staged if key in self.newest]
        stale = sum(self._is_older(key, version) for key, version in here)
        return Presence(len(here), len({key for key, _ in here}), stale=stale)

    def strangers(self, interval: int) -> int:
        return 0

    def _is_older(self, key: Landed, version: Landed) -> bool:
        """Whether a row in this version is newer than what the table has of its key."""
        held = self.newest.get(key)
        return held is None or held.version is None or held.version < version


@dataclass(frozen=True)
class Observed:
    """What is there: the table's rows, by interval the run in the ledger, and the rejects."""

    rows: Counter[Landed]
    runs: Mapping[int, str]
    findings: Counter[Finding]


@dataclass(frozen=True)
class Entry:
    """A delivery: what was sent, and by which run."""

    run_id: str
    rows: tuple[SourceRow, ...]


@dataclass(frozen=True)
class State:
    """All that one transaction changes: the table's rows, and the last delivery of each interval.

    `policy` says what becomes of values that the table cannot hold.
    """

    table: Table
    policy: str
    entries: Mapping[int, Entry] = field(default_factory=dict)

    def delivered(self, interval: int, entry: Entry) -> "State":
        earlier = self.entries.get(interval)
        key = self.table.shape.projection.model.key
        rejected = [row for row in entry.rows if row.rejected(self.policy)]
        sending = Sending(
            self.landing(entry),
            frozenset(row.landed(key) for row in rejected if not row.rejected("replace", key)),
            before=len(self.landing(earlier)) if earlier else 0,
            again=earlier is not None and earlier.run_id == entry.run_id,
        )
        table = self.table.delivered(interval, sending)
        return replace(self, table=table, entries={**self.entries, interval: entry})

    def landing(self, entry: Entry) -> list[Landed]:
        names = self.table.shape.names
        return [row.landed(names) for row in entry.rows if not row.rejected(self.policy)]

    def presence(
        self, interval: int, at_source: Sequence[SourceRow], *, deep: bool = False
    ) -> Presence:
        """What is to be found of an interval that was delivered."""
        entry = self.entries[interval]
        staged = self._staged(at_source, entry)
        return self.table.of(interval, staged, rows=len(self.landing(entry)), deep=deep)

    def find(self, seen: Observed) -> "State | None":
        """This, with those rows that it leaves open, if it is what was seen."""
        entries = self.entries.values()
        findings = Counter(f for e in entries for row in e.rows for f in row.findings(self.policy))
        runs = {interval: entry.run_id for interval, entry in self.entries.items()}
        if (runs, findings) != (seen.runs, seen.findings):
            return None
        table = self.table.find(seen.rows)
        return None if table is None else replace(self, table=table)

    def _staged(self, at_source: Sequence[SourceRow], entry: Entry) -> Iterator[Staged]:
        """The rows at the source, unless they count without those that the delivery rejected."""
        model = self.table.shape.projection.model
        names = (*model.key, *model.versions)
        rejected = Counter(
            row.sent(names)
            for row in entry.rows
            if row.rejected(self.policy) and not self.table.counts_rejected
        )
        for row in at_source:
            if rejected[row.sent(names)]:
                rejected[row.sent(names)] -= 1
            elif not row.rejected("replace", names):
                yield row.landed(model.key), row.landed(model.versions)
