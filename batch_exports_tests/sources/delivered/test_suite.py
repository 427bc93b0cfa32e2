"""What an export has delivered is given as every source gives its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count

import pytest

from batch_exports.interval import DataInterval
from batch_exports.sources.delivered import DeliveredFiles
from batch_exports.sources.source import Selection
from batch_exports_tests.destinations.rows import make_rows
from batch_exports_tests.destinations.s3.adapter import S3Adapter
from batch_exports_tests.sources.delivered.deliveries import SELECTION, Deliveries
from batch_exports_tests.sources.events import HOUR, moments
from batch_exports_tests.sources.every_source import EverySource


@dataclass(frozen=True)
class DeliveredAdapter:
    deliveries: Deliveries

    def lay_rows(self, rows: Mapping[DataInterval, int]) -> Selection:
        numbers = count()
        for interval, many in rows.items():
            made = make_rows(
                [next(numbers) for _ in range(many)],
                interval,
                columns={"_inserted_at": moments(interval, many)},
            )
            self.deliveries.destination.write(made.to_reader(), interval, "a run")
        return SELECTION

    def lay_much(self) -> Selection:
        return self.lay_rows({HOUR: 2_000})

    def source(self) -> DeliveredFiles:
        return replace(self.deliveries.source, parts=lambda interval: [interval])

    def held(self) -> None:
        """Requests to S3 leave nothing in this process that tells of them."""


class TestDelivered(EverySource):
    @pytest.fixture
    def adapter(self, s3: S3Adapter) -> DeliveredAdapter:
        return DeliveredAdapter(Deliveries.to(s3))
