"""A delivery that is undone, by the very code of deliveries."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from batch_exports.destinations.made_up import made_up_rows
from batch_exports.destinations.server_attempt import moment
from batch_exports.probe import Finding, passed, warning
from batch_exports.transform.capabilities import OnUnrepresentable

if TYPE_CHECKING:
    from batch_exports.destinations.postgres.destination import PostgresDestination
    from batch_exports.destinations.redshift.destination import RedshiftDestination


def rehearse(destination: "PostgresDestination | RedshiftDestination") -> Finding:
    """Two made-up rows go into the real tables. Raises what a delivery raises."""
    interval = moment()
    tolerant = replace(destination, on_unrepresentable=OnUnrepresentable.REPLACE)
    rows = made_up_rows(tolerant.projection, interval.start)
    batches = pa.RecordBatchReader.from_batches(rows.schema, [rows])
    delivery = tolerant.rehearse(batches, interval)
    if delivery.rejected:
        return warning(
            f"{delivery.rejected} of {rows.num_rows} made-up rows would have been rejected.",
            remedy="A column of the table is narrower than the documented one: see its rejects "
            "after the first delivery.",
        )
    return passed(f"{delivery.rows} made-up rows went into the table, and were undone")
