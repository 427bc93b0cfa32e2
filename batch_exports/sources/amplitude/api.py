"""Amplitude's Export API as a source of events."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import IO

import pyarrow as pa

from batch_exports.errors import Terminal
from batch_exports.interval import DataInterval
from batch_exports.models import AMPLITUDE_EVENTS
from batch_exports.sources.amplitude.download import Download
from batch_exports.sources.amplitude.hours import HOUR, hours_of, refuse_early
from batch_exports.sources.amplitude.members import Request, count_zip, read_zip
from batch_exports.sources.description import Description
from batch_exports.sources.source import Selection

# "Data sent between 8 and 9 PM begins loading at 9 PM and is available through the Export API at
# 11 PM": https://amplitude.com/docs/apis/analytics/export
LAG = timedelta(hours=2)


class Api:
    """Asks for the hours that an interval touches, and keeps its rows. The hours are those of
    server_upload_time."""

    def __init__(self, download: Download) -> None:
        self.download = download

    @contextmanager
    def read(
        self, selection: Selection, interval: DataInterval
    ) -> Generator[pa.RecordBatchReader, None, None]:
        refuse_early(interval, LAG, "Amplitude's Export API")
        with closing(self._batches(_request(selection, interval))) as batches:
            yield pa.RecordBatchReader.from_batches(selection.schema, batches)

    def count(self, selection: Selection, interval: DataInterval) -> int:
        """Fetches the archives anew, and counts by the times alone."""
        request = _request(selection, interval)
        with closing(self._archives(interval)) as archives:
            return sum(count_zip(file, where, request) for file, where in archives)

    def describe(self, selection: Selection, interval: DataInterval) -> Description:
        first, *others = hours_of(interval)
        last = others[-1] if others else first
        return Description(
            self.download.endpoint,
            note=f"Archives of the hours from {first:%Y-%m-%dT%H} to {last:%Y-%m-%dT%H} (UTC, both "
            "inclusive) are downloaded.",
            uncounted="Amplitude counts nothing: the archives would have to be downloaded",
        )

    def _batches(self, request: Request) -> Generator[pa.RecordBatch, None, None]:
        with closing(self._archives(request.interval)) as archives:
            for file, where in archives:
                yield from read_zip(file, where, request)

    def _archives(self, interval: DataInterval) -> Generator[tuple[IO[bytes], str], None, None]:
        first, *others = hours_of(interval)
        return self.download.archives(first, others[-1] if others else first)


def _request(selection: Selection, interval: DataInterval) -> Request:
    """The API picked the hours: names within its zips need not."""
    if selection.model is not AMPLITUDE_EVENTS:
        raise Terminal(
            f"Amplitude's Export API has no {selection.model.name}.",
            remedy="Amplitude's export to S3 has them: give the source its path.",
        )
    return Request(selection, interval, margin=HOUR)
