"""What a destination says of its deliveries, held against what is so."""

from typing import cast

import pytest

from batch_exports.destinations.delivery import Delivery, Destination, MergingDestination
from batch_exports.errors import Terminal
from batch_exports_tests.destinations.property.expected import Merged, State
from batch_exports_tests.destinations.property.source import INTERVALS, Source


def check_delivery(
    destination: Destination,
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


def check_words(destination: Destination, state: State, source: Source, interval: int) -> None:
    """An inspection tells what is so, and calls a problem what is one."""
    window, source_keys = INTERVALS[interval], source.key_reader(interval)
    if interval not in state.entries:
        with pytest.raises(Terminal, match=r"Nothing was delivered.*Materialize"):
            destination.inspect(window, source_keys=source_keys)
        return
    delivered = len(state.landing(state.entries[interval]))
    for deep in (False, True) if state.table.looks_deeper else (False,):
        presence = state.presence(interval, source.of(interval), deep=deep)
        landed = destination.inspect(window, deep=deep, source_keys=source_keys)
        assert landed.rows == presence.counted
        strangers = state.table.strangers(interval)
        assert bool(landed.problems) == (presence.counted != delivered or strangers > 0)
    presence = state.presence(interval, source.of(interval))
    keys = destination.keys(window, source_keys)
    assert (keys.rows, keys.nulls, keys.duplicates) == (presence.rows, 0, presence.duplicates)
    if source.shape.merges:
        merging = cast(MergingDestination, destination)
        versions = merging.versions(window, source_keys)
        assert (versions.rows, versions.stale) == (presence.counted, presence.stale)
