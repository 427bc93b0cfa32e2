"""Archives of Amplitude's and its Export API give what every source gives."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from batch_exports.interval import DataInterval
from batch_exports.models import AMPLITUDE_EVENTS
from batch_exports.sources.amplitude import Api, Archives
from batch_exports.sources.source import Selection
from batch_exports_tests.sources.amplitude.played import Amplitude, api
from batch_exports_tests.sources.amplitude.rows import START, event, events, name, packed, text
from batch_exports_tests.sources.events import HOUR, moments
from batch_exports_tests.sources.every_source import EverySource, files_of

ALL = events(*(column.name for column in AMPLITUDE_EVENTS.columns))
MANY = 5_000


def hours(times: Iterable[datetime]) -> dict[int, bytes]:
    """A file of events for each hour after the start that has any of these times, in order."""

    def row(number: int, moment: datetime) -> dict[str, Any]:
        return event(0, uuid=str(number), server_upload_time=text(moment))

    def hour(numbered: tuple[int, datetime]) -> int:
        return (numbered[1] - START) // timedelta(hours=1)

    return {
        number: packed(row(*one) for one in rows)
        for number, rows in groupby(enumerate(times), hour)
    }


def times(rows: Mapping[DataInterval, int]) -> Iterable[datetime]:
    return (moment for interval, number in rows.items() for moment in moments(interval, number))


@dataclass(frozen=True)
class ArchivesAdapter:
    folder: Path

    def lay_rows(self, rows: Mapping[DataInterval, int]) -> Selection:
        for hour, data in hours(times(rows)).items():
            (self.folder / name(hour)).write_bytes(data)
        return ALL

    def lay_much(self) -> Selection:
        return self.lay_rows({HOUR: MANY})

    def source(self) -> Archives:
        return Archives(fs.LocalFileSystem(), str(self.folder), shown_as="archives")

    def held(self) -> list[str]:
        return files_of(self.folder)


@dataclass(frozen=True)
class ApiAdapter:
    """Zips are downloaded to `folder`."""

    amplitude: Amplitude
    folder: Path

    def lay_rows(self, rows: Mapping[DataInterval, int]) -> Selection:
        self.amplitude.hours = hours(times(rows))
        return ALL

    def lay_much(self) -> Selection:
        return self.lay_rows({HOUR: MANY})

    def source(self) -> Api:
        return api(self.amplitude)

    def held(self) -> list[str]:
        return [*files_of(self.folder), *map(str, self.folder.iterdir())]


class TestArchives(EverySource):
    @pytest.fixture
    def adapter(self, tmp_path: Path) -> ArchivesAdapter:
        return ArchivesAdapter(tmp_path)


class TestApi(EverySource):
    @pytest.fixture
    def adapter(
        self, amplitude: Amplitude, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> ApiAdapter:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        return ApiAdapter(amplitude, tmp_path)
