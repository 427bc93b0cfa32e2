"""Tables that are missing, for several runs that begin at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from batch_exports.interval import DataInterval
from batch_exports_tests.destinations.redshift.adapter import RedshiftAdapter
from batch_exports_tests.destinations.rows import HOUR, PROJECTION, make_rows, stream


def test_runs_that_begin_at_once_share_what_one_of_them_makes(by_insert: RedshiftAdapter) -> None:
    hours = [
        DataInterval(HOUR.start + timedelta(hours=n), HOUR.end + timedelta(hours=n))
        for n in range(4)
    ]

    def deliver(hour: DataInterval) -> int:
        rows = make_rows(range(5), hour, label=str(hour))
        return by_insert.destination(PROJECTION).write(stream(rows), hour, "run").rows

    with ThreadPoolExecutor(len(hours)) as threads:
        assert list(threads.map(deliver, hours)) == [5] * 4
    assert by_insert.execute("SELECT COUNT(*) AS rows FROM {table}") == [{"rows": 20}]
