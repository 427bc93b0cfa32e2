"""Any number of made-up persons, and newer versions of them, for benchmarks of merges."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa

from batch_exports.local import chance
from batch_exports.local.generator import ROW_GROUP_ROWS, arrival_slot, joined, phrases
from batch_exports.local.person_schema import PERSONS

_POOL = 1_024
_BLOCK = 10_000
_FIRST_SEEN = datetime(2026, 1, 1, tzinfo=UTC)


def generate_persons(
    rows: int,
    *,
    start: datetime,
    end: datetime,
    seed: int = 0,
    first: int = 0,
    version: int = 0,
    batch_rows: int = ROW_GROUP_ROWS,
) -> pa.RecordBatchReader:
    """The persons numbered from `first` on, in the given `version`, columns as in `PERSONS`.

    They come in batches of `batch_rows`, made while they are read, ordered by inserted_at and
    spread evenly over `start` <= inserted_at < `end`, both with a time zone. A person's key, id and
    time of creation depend on its number and `seed` alone, so that a second call makes newer
    versions of any share of the first one's persons:

        generate_persons(500_000, start=..., end=...)
        generate_persons(500_000, start=..., end=..., first=250_000, version=1)

    Properties take about 0.5 KB as JSON, and differ in each version. The same arguments give the
    same persons. Raises ValueError for a window that holds fewer than `rows` microseconds.
    """
    slot = arrival_slot(rows, start, end)
    pool = _pool(f"{seed}")

    def batches() -> Iterator[pa.RecordBatch]:
        for done in range(0, rows, batch_rows):
            numbers = range(first + done, first + min(done + batch_rows, rows))
            arrival = start + pl.int_range(done, done + len(numbers), eager=True) * timedelta(
                microseconds=slot
            )
            persons = _persons(f"{seed}", numbers, version, pool).with_columns(
                arrival.cast(pl.Datetime("us", "UTC")).alias("inserted_at")
            )
            yield from persons.select(PERSONS.names).to_arrow().cast(PERSONS).to_batches()

    return pa.RecordBatchReader.from_batches(PERSONS, batches())


def _pool(label: str) -> pl.Series:
    """Members of JSON objects, of which a person has two at a time."""
    told = phrases(f"{label} persons", _POOL * 3)
    return pl.Series(
        json.dumps(
            {"company": company, "title": title, "tags": [tag, None, True], "score": len(tag) / 7},
            ensure_ascii=False,
        )[1:-1]
        for company, title, tag in zip(told, told[_POOL:], told[2 * _POOL :], strict=False)
    )


def _persons(label: str, numbers: range, version: int, pool: pl.Series) -> pl.DataFrame:
    """All columns but the time of arrival."""
    rows = len(numbers)
    picks = chance.below(f"{label} persons {version} {numbers.start}", rows * 2, _POOL)
    number = pl.col("number")
    persons = pl.DataFrame(
        {
            "number": pl.int_range(numbers.start, numbers.stop, eager=True),
            "distinct_id": _uuids(f"{label} distinct id", numbers),
            "person_id": _uuids(f"{label} person id", numbers),
            "now": pool.gather(picks[:rows]),
            "before": pool.gather(picks[rows:]),
        }
    )
    return persons.with_columns(
        pl.lit(1, pl.Int64).alias("team_id"),
        pl.lit(0, pl.Int64).alias("person_distinct_id_version"),
        pl.lit(version, pl.Int64).alias("person_version"),
        (_FIRST_SEEN + pl.duration(seconds=number % 20_000_000)).alias("created_at"),
        pl.lit(False).alias("is_deleted"),
        joined(
            '{"email":"person',
            number,
            '@example.com","name":"Zoë Ångström ',
            number,
            f'","visits":{version + 1},"seats":',
            number % 97,
            ',"trial_ends":null,"now":{',
            pl.col("now"),
            '},"before":{',
            pl.col("before"),
            "}}",
        ).alias("properties"),
    )


def _uuids(label: str, numbers: range) -> pl.Series:
    """The UUIDs of numbered persons, which are made in blocks whose bounds are always the same."""
    blocks = range(numbers.start // _BLOCK, -(-numbers.stop // _BLOCK))
    made = pl.concat(chance.uuids(f"{label} {block}", _BLOCK) for block in blocks)
    return made.slice(numbers.start - blocks.start * _BLOCK, len(numbers))
