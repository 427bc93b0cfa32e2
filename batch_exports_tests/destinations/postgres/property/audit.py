"""What a destination says of its deliveries, held against what is so."""

import pytest

from batch_exports.destinations.delivery import Delivery
from batch_exports.destinations.postgres.destination import PostgresDestination
from batch_exports.errors import Terminal
from batch_exports_tests.destinations.postgres.property.expected import Merged, State
from batch_exports_tests.destinations.postgres.property.source import INTERVALS, Source


def check_delivery(
    destination: PostgresDestination,
    delivery: Delivery,
    before: State,
    after: State,
    interval: int,
) -> None:
    """Its numbers are those of the rows that were sent, and the ledger has them."""
    assert delivery == destination.delivery(INTERVALS[interval])
    rows, policy = after.entries[interval].rows, after.policy
    rejected = sum(row.rejected(policy) for row in rows)
    assert (delivery.rows, delivery.rejected) == (len(rows) - rejected, rejected)
    assert delivery.replaced == sum(row.replaced(policy) for row in rows)
    if isinstance(before.table, Merged) and isinstance(after.table, Merged):
        assert delivery.changed == before.table.changes(after.table)
    else:
        assert delivery.changed is None


def check_words(
    destination: PostgresDestination, state: State, source: Source, interval: int
) -> None:
    """An inspection tells what is so, and calls a problem what is one."""
    window, source_keys = INTERVALS[interval], source.key_reader(interval)
    if interval not in state.entries:
        with pytest.raises(Terminal, match=r"Nothing was delivered.*Materialize"):
            destination.inspect(window, source_keys=source_keys)
        return
    delivered = len(state.landing(state.entries[interval]))
    # Elsewhere it makes no difference.
    depths = (False,) if source.shape.by_range or source.shape.merges else (False, True)
    for deep in depths:
        presence = state.presence(interval, source.of(interval), deep=deep)
        landed = destination.inspect(window, deep=deep, source_keys=source_keys)
        assert landed.rows == presence.counted
        assert bool(landed.problems) == (presence.counted != delivered)
    presence = state.presence(interval, source.of(interval))
    keys = destination.keys(window, source_keys)
    assert (keys.rows, keys.nulls, keys.duplicates) == (presence.rows, 0, presence.duplicates)
    if source.shape.merges:
        versions = destination.versions(window, source_keys)
        assert (versions.rows, versions.stale) == (presence.counted, presence.stale)
