"""Out of ClickHouse: its own stream of Arrow, thrown away as it comes."""

from collections.abc import Callable, Mapping

from benchmarks.stopwatch import Lap, stopwatch
from benchmarks.task import EVENT_FILE_COLUMNS, Task


def read_away(task: Task) -> Lap:
    import urllib3

    assert task.clickhouse
    place = task.clickhouse
    pool = urllib3.PoolManager(retries=False)
    columns = ", ".join(EVENT_FILE_COLUMNS)
    with stopwatch() as lap:
        answer = pool.request(
            "POST",
            f"http://127.0.0.1:{place.port}/?database={place.database}",
            body=f"SELECT {columns} FROM events FORMAT ArrowStream".encode(),
            headers=urllib3.make_headers(basic_auth=f"{place.user}:{place.password}"),
            preload_content=False,
        )
        for _ in answer.stream(2**20):
            pass
    if answer.status != 200:
        raise RuntimeError(f"ClickHouse answered {answer.status}")
    lap.delivers = False
    return lap


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {
    "clickhouse-to-s3": {"ClickHouse's ArrowStream, thrown away": read_away},
}
