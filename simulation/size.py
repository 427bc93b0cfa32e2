"""How large a deployment is, and how long its runs take: from what was measured of such runs."""

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from batch_exports.interval import parse_rhythm

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
# What an export has without `delay_seconds`.
DELAY = timedelta(minutes=1)
_DAY = timedelta(days=1)
# Lake to Parquet on S3, on two cores, of docs/performance.md: 7.4 s a million rows without checks.
# What of it is reading, what that is for a shard, and what checks take, is as processor seconds are
# divided in docs/scale.md. Starting is what is left of a run of one row; with shards there are
# processes for shards, for the commit and for the checks, one after the other.
_START_SECONDS, _SHARDED_START_SECONDS = 5.0, 15.0
_READING, _ENCODING, _CHECKING = 1.1e-6, 6.3e-6, 1.0e-6
_SHARD_READING, _SHARD_ENCODING = 1.6e-6, 6.7e-6
# Measurements of one thing differ by as much.
_SPREAD = 0.15
# The busiest moment of a day beside its average: half as much again, at 18:00.
_SWING = 0.5


@dataclass(frozen=True)
class Size:
    """`interval` is as an export's; `rows_a_day` are those of all `exports`; `workers` is how many
    runs go at once."""

    exports: int
    interval: str
    rows_a_day: float
    shards: int
    workers: int
    seed: int

    @property
    def length(self) -> timedelta:
        """Of an interval."""
        rhythm = parse_rhythm(self.interval)
        assert rhythm.unit, "a cron expression has no length"
        return timedelta(**{f"{rhythm.unit}s": rhythm.every})

    def rows(self, begin: datetime) -> float:
        """Of one export's interval that begins then."""
        time_of_day = (begin + self.length / 2 - BEGIN) / _DAY % 1
        swing = 1 - _SWING * math.sin(2 * math.pi * time_of_day)
        return self.rows_a_day / self.exports * (self.length / _DAY) * swing

    def run_seconds(self, export: str, begin: datetime) -> float:
        """How long a run of that interval takes, the same each time that it is asked."""
        fixed, each = _START_SECONDS, _READING + _ENCODING
        if self.shards > 1:
            fixed, each = _SHARDED_START_SECONDS, _SHARD_READING + _SHARD_ENCODING / self.shards
        luck = random.Random(f"{self.seed} {export} {begin}").uniform(1 - _SPREAD, 1 + _SPREAD)
        return (fixed + self.rows(begin) * (each + _CHECKING)) * luck
