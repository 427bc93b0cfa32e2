"""What a delivery to S3 would do, by its keys and what lies there now."""

from batch_exports.destinations.planned import Planned, Step
from batch_exports.destinations.s3.destination import S3Destination
from batch_exports.destinations.s3.manifest import columns_of
from batch_exports.errors import Transient
from batch_exports.interval import DataInterval


def plan(destination: S3Destination, interval: DataInterval) -> Planned:
    """Raises what keeps the bucket from being asked."""
    keys, at = destination.template.keys(interval), f"s3://{destination.bucket}/"
    columns = {column.name: column.type for column in columns_of(destination.projection.schema)}
    size = destination.max_file_bytes
    upload = "upload the file, unless there is no row"
    if size:
        upload = f"upload files of up to {size:,} bytes, numbered from here on"
    elif keys.numbered:
        upload = "before that, upload files of each shard, numbered from here on"
    steps = [
        Step("hold the interval's lock", at + keys.lock),
        Step(f"{upload} ({destination.file_format}, {destination.compression})",
             at + keys.data(0)),
        Step("upload rejected and replaced rows, where there are any", at + keys.aside),
        Step("put the manifest", at + keys.manifest),
    ]  # fmt: skip
    try:
        before = destination.files(interval)
    except Transient as error:
        return Planned(at + keys.stem, columns, steps, (), error.message)
    differences = []
    if before is not None:
        named = {file.uri for file in before.files}
        kept = {at + keys.data(number) for number in range(len(named) + 1)}
        steps += [Step("delete, unless it is written again", uri) for uri in sorted(named - kept)]
        differences = [
            f"{name} was {before.columns.get(name, 'missing')} before, and will be {type_}"
            for name, type_ in columns.items()
            if before.columns.get(name) != type_
        ]
        differences += [f"{n} was there before" for n in before.columns if n not in columns]
    return Planned(at + keys.stem, columns, steps, differences)
