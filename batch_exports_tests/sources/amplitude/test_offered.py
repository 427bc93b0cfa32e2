"""What archives offer is told by the first lines of the last of an interval."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from batch_exports.drift.source_columns import source_columns
from batch_exports_tests.sources.amplitude.rows import event, events, minutes, name, packed, zipped
from batch_exports_tests.sources.amplitude.test_archives import put

LATER = [event(60, groups={"team": 1}), event(61, groups=None)]


@pytest.mark.parametrize(
    "files",
    [
        {name(0): packed([event(0)]), name(1): packed(LATER)},
        {"by hand.zip": zipped({name(1): packed(LATER)})},
    ],
)
def test_members_of_the_last_archive(tmp_path: Path, files: Mapping[str, bytes]) -> None:
    source = put(tmp_path, files)
    found = source_columns(source, events(), minutes(0, 120))
    assert found
    assert found.sampled
    kinds = {column.name: column.type for column in found.columns}
    assert (kinds["groups"], kinds["uuid"], kinds["sample_rate"]) == ("object", "string", "")


def test_an_interval_without_archives_tells_nothing(tmp_path: Path) -> None:
    source = put(tmp_path, {name(0): packed([event(0)])})
    assert source_columns(source, events(), minutes(600, 660)) is None
    zips = put(tmp_path / "zips", {"by hand.zip": zipped({name(1): packed(LATER)})})
    assert source_columns(zips, events(), minutes(600, 660)) is None
