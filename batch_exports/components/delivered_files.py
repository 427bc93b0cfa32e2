"""The files of an S3 export as a source for others, under that export's name."""

from collections.abc import Sequence
from typing import cast

import dagster as dg

from batch_exports.components.s3_connection import S3ConnectionResource
from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.export import Export
from batch_exports.interval import DataInterval
from batch_exports.sources.delivered import DeliveredFiles


def delivered_files(export: Export, connection: str) -> dg.ResourceDefinition:
    """What reads the deliveries of an export to S3, with the connection that it writes with."""

    @dg.resource(
        description=f"Reads what {export.name} has delivered.",
        required_resource_keys=set(export.destination_resources),
    )
    def files(context: dg.InitResourceContext) -> DeliveredFiles:
        reached: S3ConnectionResource = getattr(context.resources, connection)
        destination = cast(S3Destination, export.destination(context.resources))
        return DeliveredFiles(
            reached.filesystem(),
            export.name,
            lambda interval: parts(export.partitions, interval),
            destination.files,
        )

    return files


def parts(
    partitions: dg.TimeWindowPartitionsDefinition, interval: DataInterval
) -> Sequence[DataInterval]:
    """The partitions within an interval, in order."""
    found: list[DataInterval] = []
    moment = interval.start
    while moment < interval.end:
        window = partitions.get_next_partition_window(moment, respect_bounds=False)
        assert window
        part = DataInterval.of(window.start, window.end)
        found.append(part)
        moment = part.end
    return found
