"""What a delivery to a batch API would do."""

from batch_exports.destinations.http.destination import HttpDestination
from batch_exports.destinations.planned import Planned, Step
from batch_exports.destinations.s3.manifest import columns_of
from batch_exports.interval import DataInterval


def plan(destination: HttpDestination, interval: DataInterval) -> Planned:
    """Nobody is asked: an endpoint tells nothing of what it has."""
    keys, at = destination.template.keys(interval), f"s3://{destination.bucket}/"
    columns = columns_of(destination.projection.schema)
    sent = ", ".join(sorted(destination.operations))
    return Planned(
        destination.endpoint.url,
        {column.name: column.type for column in columns},
        [
            Step("hold the interval's lock", at + keys.lock),
            Step(f"send a call for each row that is one of {sent}", destination.endpoint.url),
            Step("upload rejected rows, where there are any", at + keys.aside),
            Step("put the record of the calls", at + keys.manifest),
        ],
        way="a call has the same message ID each time, by which its receiver knows it",
    )
