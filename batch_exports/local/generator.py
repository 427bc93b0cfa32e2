"""Any number of made-up events, for benchmarks and for tests that need volume.

An event is put together from pools of fragments: a few thousand texts each, drawn and joined by
whole columns, so that making events costs less than any export of them.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from batch_exports.local import chance
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.hostile import HOSTILE

ROW_GROUP_ROWS = 60_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POOL = 1_024
# fmt: off
_WORDS = [
    "alpha", "bravo", "café", "delta", "éclair", "foxtrot", "größe", "hôtel", "india", "jalapeño",
    "kilo", "lima", "мир", "naïve", "oscar", "piñata", "québec", "東京", "sierra", "tango",
    "über", "victor", "whisky", "x-ray", "yankee", "zulu", "🚀", "🎉", "checkout", "pricing",
]
# fmt: on
_NAMES = ["$pageview", "$autocapture", "$pageleave", "signed up", "file uploaded", "$identify"]
_CHAIN = (
    'a.nav-link:attr__class="nav-link"attr__href="/pricing"nth-child="2"nth-of-type="1"text="{}"'
)


def generate_events(
    rows: int,
    *,
    start: datetime,
    end: datetime,
    seed: int = 0,
    batch_rows: int = ROW_GROUP_ROWS,
    hostile_share: float = 0.001,
) -> pa.RecordBatchReader:
    """`rows` events in batches of `batch_rows`, columns as in `EVENTS`; made while they are read.

    They are ordered by inserted_at and spread evenly over `start` <= inserted_at < `end`, both
    with a time zone. As JSON lines a row takes about 1.3 KB; `hostile_share` of the rows hold
    what breaks exporters (see `hostile`). The same arguments give the same events; two values of
    `seed` give events that have nothing in common.

    Raises ValueError for a window that holds fewer than `rows` microseconds.
    """
    slot = arrival_slot(rows, start, end)
    pools = _pools(f"{seed}")

    def batch(first: int) -> list[pa.RecordBatch]:
        label, count = f"{seed} {first}", min(batch_rows, rows - first)
        times = _times(label, range(first, first + count), start, slot)
        events = _batch(label, pools, count, hostile_share).with_columns(times)
        table = events.select(EVENTS.names).to_arrow().cast(EVENTS)
        made: list[pa.RecordBatch] = table.to_batches()
        return made

    batches = chain.from_iterable(map(batch, range(0, rows, batch_rows)))
    return pa.RecordBatchReader.from_batches(EVENTS, batches)


def arrival_slot(rows: int, start: datetime, end: datetime) -> int:
    """Microseconds within which each of `rows` arrives: the n-th in the n-th slot, so in order.

    Raises ValueError for a window that holds fewer than `rows` microseconds.
    """
    slot = (end - start) // timedelta(microseconds=1) // max(rows, 1)
    if slot == 0:
        raise ValueError(f"{rows:,} rows need more than {end - start}: set a later end")
    return slot


def write_lake(
    folder: Path,
    rows: int,
    *,
    start: datetime,
    end: datetime,
    seed: int = 0,
    files: int = 1,
    hostile_share: float = 0.001,
) -> None:
    """Write generated events to `folder`/events/part-<n>.parquet, `files` of about equal size.

    Row groups hold ROW_GROUP_ROWS rows; files and row groups follow one another in inserted_at.
    Files that are there are replaced.
    """
    (folder / "events").mkdir(parents=True, exist_ok=True)
    batches: Iterator[pa.RecordBatch] = iter(
        generate_events(rows, start=start, end=end, seed=seed, hostile_share=hostile_share)
    )
    groups = -(-rows // ROW_GROUP_ROWS)
    for number in range(files):
        path = folder / "events" / f"part-{number}.parquet"
        with pq.ParquetWriter(path, EVENTS, compression="zstd") as writer:
            share = groups * (number + 1) // files - groups * number // files
            for batch in islice(batches, share):
                writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)


def _pools(label: str) -> dict[str, pl.Series]:
    """Texts to draw from. Properties are joined from three of them, so that few rows are alike."""
    told = phrases(f"{label} phrase", _POOL * 4)
    people = 10_000
    return {
        "page": pl.Series([json.dumps(f"https://app.example.com/{text}", ensure_ascii=False)
                           for text in told[:_POOL]]),
        "device": pl.Series([_device(number) for number in range(_POOL)]),
        "content": pl.Series([_content(*four) for four in
                              zip(told, told[1:], told[2:], told[3:], strict=False)]),
        "person_id": chance.uuids(f"{label} person", people),
        "person": pl.Series([_person(number) for number in range(people)]),
        "hostile": pl.Series(list(HOSTILE.values())),
    }  # fmt: skip


def phrases(label: str, count: int) -> list[str]:
    """Texts of six words each, of several scripts."""
    picks = iter(chance.below(label, count * 6, len(_WORDS)))
    return [" ".join(_WORDS[pick] for pick in islice(picks, 6)) for _ in range(count)]


def _device(number: int) -> str:
    browser = ["Chrome", "Firefox", "Safari", "Edge"][number % 4]
    fields = {
        "$browser": browser,
        "$browser_version": 90 + number % 50,
        "$os": ["Windows", "Mac OS X", "Linux", "Android", "iOS"][number % 5],
        "$device_type": ["Desktop", "Mobile", "Tablet"][number % 3],
        "$screen_width": 360 + number,
        "$screen_height": 640 + number,
        "$lib": "web",
        "$lib_version": f"1.{number % 300}.0",
        "$raw_user_agent": f"Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) {browser}/{number}.0",
        "$referrer": "$direct",
        "utm_source": None,
    }
    return json.dumps(fields)[1:-1]


def _content(headline: str, label: str, note: str, tag: str) -> str:
    fields = {
        "headline": headline,
        "cart": {"items": [{"sku": label, "gift": None}, {"sku": note, "gift": True}], "note": ""},
        "$feature/flags": {"new-checkout": "control", tag: False},
    }
    return json.dumps(fields, ensure_ascii=False)[1:-1]


def _person(number: int) -> str:
    fields = {
        "email": f"person{number}@example.com",
        "name": f"Zoë Ångström {number}",
        "plan": ["free", "team", "enterprise"][number % 3],
        "seats": number % 97,
        "trial_ends": None,
    }
    return json.dumps(fields, ensure_ascii=False)


def _batch(
    label: str, pools: dict[str, pl.Series], rows: int, hostile_share: float
) -> pl.DataFrame:
    """All columns but the times."""

    def draw(pool: str) -> pl.Series:
        return pools[pool].gather(chance.below(f"{label} {pool}", rows, len(pools[pool])))

    person = chance.below(f"{label} who", rows, len(pools["person"]))
    drawn = pl.DataFrame(
        {
            "uuid": chance.uuids(f"{label} uuid", rows),
            "event": pl.Series(_NAMES).gather(chance.below(f"{label} name", rows, len(_NAMES))),
            "person": person,
            "person_id": pools["person_id"].gather(person),
            "person_properties": pools["person"].gather(person),
            "page": draw("page"),
            "device": draw("device"),
            "content": draw("content"),
            "number": chance.below(f"{label} number", rows, 10**12),
            "hostile": draw("hostile"),
            "luck": chance.fractions(f"{label} luck", rows),
        }
    )
    identifies = pl.when(pl.col("event") == "$identify")
    clicks = pl.when(pl.col("event") == "$autocapture")
    addressed = pl.when(pl.col("number") % 20 > 0)  # a few events come from nowhere
    return drawn.with_columns(
        pl.lit(1, pl.Int64).alias("team_id"),
        pl.format("user-{}", "person").alias("distinct_id"),
        addressed.then(pl.format("198.51.100.{}", pl.col("person") % 254 + 1)).alias("ip"),
        identifies.then("person_properties").alias("set"),
        identifies.then(joined('{"$initial_current_url":', pl.col("page"), "}")).alias("set_once"),
        clicks.then(pl.format(_CHAIN, "number")).otherwise(pl.lit("")).alias("elements_chain"),
    ).with_columns(
        pl.when(pl.col("luck") < hostile_share)
        .then("hostile")
        .otherwise(_properties())
        .alias("properties")
    )


def _properties() -> pl.Expr:
    given = joined(',"$set":', pl.col("set"), ',"$set_once":', pl.col("set_once"))
    return joined(
        '{"$current_url":',
        pl.col("page"),
        ',"$insert_id":"',
        pl.col("uuid"),
        '","$time":',
        pl.col("number") / 1000,
        ',"$viewport":[',
        pl.col("number") % 1999,
        ",720],",
        pl.col("device"),
        ",",
        pl.col("content"),
        joined(',"$ip":"', pl.col("ip"), '"').fill_null(""),
        given.fill_null(""),
        "}",
    )


def joined(*pieces: str | pl.Expr) -> pl.Expr:
    """The pieces, one after the other; null where one of them is."""
    return pl.concat_str(pl.lit(piece) if isinstance(piece, str) else piece for piece in pieces)


def _times(label: str, rows: range, start: datetime, slot: int) -> list[pl.Series]:
    """The three times of `rows`, which arrive one in each `slot` of so many microseconds."""
    origin = (start - _EPOCH) // timedelta(microseconds=1)
    arrival = origin + pl.int_range(rows.start, rows.stop, eager=True) * slot
    arrival += chance.below(f"{label} arrival", len(rows), slot)
    lag = 1_000_000 + chance.below(f"{label} lag", len(rows), 30_000_000)
    return [
        (arrival - before).cast(pl.Datetime("us", "UTC")).alias(name)
        for name, before in [("timestamp", lag), ("created_at", 200_000), ("inserted_at", 0)]
    ]
