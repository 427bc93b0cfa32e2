"""Tables of warehouses give what every source gives."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from batch_exports.destinations.redshift.stage_area import StageArea
from batch_exports_tests.sources.every_source import EveryServer, EverySource
from batch_exports_tests.sources.warehouse.adapter import WarehouseAdapter
from batch_exports_tests.sources.warehouse.places import Place


class TestQueries(EveryServer):
    """By COPY of PostgreSQL, and by a cursor of Redshift."""

    @pytest.fixture
    def adapter(self, warehouse: Place) -> Iterator[WarehouseAdapter]:
        with ExitStack() as closing:
            yield WarehouseAdapter(warehouse, closing)


class TestUnload(EverySource):
    """Rows do not come by the connection."""

    @pytest.fixture
    def adapter(self, cluster: Place, stage: StageArea) -> Iterator[WarehouseAdapter]:
        with ExitStack() as closing:
            yield WarehouseAdapter(cluster, closing, stage)
