"""Times and dates that a file holds as text, by TIMEFORMAT and DATEFORMAT.

https://docs.aws.amazon.com/redshift/latest/dg/r_DATEFORMAT_and_TIMEFORMAT_strings.html
"""

import re

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.local.redshift.converted import Converted, faults_where, lost
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.models import TIMESTAMP

# https://docs.aws.amazon.com/redshift/latest/dg/r_Datetime_types.html
FIRST_DAY = -2_440_588
"""4713 BC, the first day of a DATE and of a TIMESTAMP, counted from 1970."""

LAST_DAY = 2_145_042_905
"""The end of the year 5874897, the last day of a DATE."""

FIRST_MICROSECOND = FIRST_DAY * 86_400_000_000
"""The beginning of `FIRST_DAY`; all microseconds of 64 bits lie before the end of TIMESTAMP."""

_DATE = r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
_CLOCK = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
)
_OFFSET = r"(?P<offset>[+-][0-9]{1,2}(?::?[0-9]{2})?)"
_ZONE = rf"(?: ?(?:Z|UTC|GMT|{_OFFSET}))?"
# Of what 'auto' recognizes, ISO 8601 and its kin; other formats are not covered.
_AUTO = rf"^{_DATE}(?:[ T]{_CLOCK}{_ZONE})?$"
_DEFAULT = {
    "timestamp": rf"^{_DATE} {_CLOCK}$",
    "timestamptz": rf"^{_DATE} {_CLOCK}{_OFFSET}$",
    "date": rf"^{_DATE}$",
}
_PARTS = {
    "YYYY": r"(?P<year>[0-9]{4})",
    "MM": r"(?P<month>[0-9]{1,2})",
    "DD": r"(?P<day>[0-9]{1,2})",
    "HH24": r"(?P<hour>[0-9]{1,2})",
    "HH": r"(?P<hour>[0-9]{1,2})",
    "MI": r"(?P<minute>[0-9]{1,2})",
    "SS": r"(?P<second>[0-9]{1,2})(?:\.(?P<fraction>[0-9]+))?",
}
_PART = re.compile("|".join(_PARTS) + r"|[A-Za-z]+|[^A-Za-z]+")
_EPOCHS = {"epochsecs": 1_000_000, "epochmillisecs": 1_000}  # microseconds of each


def times_of(text: pa.Array, type_: str, time_format: str | None) -> Converted:
    """Text as instants in UTC, for TIMESTAMP (of which a zone is ignored) or TIMESTAMPTZ.

    Raises Refusal for a format that is not covered.
    """
    if time_format in _EPOCHS:
        return _since_1970(text, _EPOCHS[time_format])
    parts = _parts(text, _pattern(type_, time_format))
    minutes = _minutes(parts["offset"]) if type_ == "timestamptz" else 0
    local = parts.select(
        pl.format(
            "{}-{}-{} {}:{}:{}.{}",
            *("year", "month", "day"),
            *(pl.col(name).fill_null("00") for name in ("hour", "minute", "second")),
            pl.col("fraction").fill_null("").str.slice(0, 6).str.pad_end(6, "0"),
        ).str.to_datetime("%Y-%m-%d %H:%M:%S%.6f", time_unit="us", strict=False)
    ).to_series()
    instants = local - minutes if isinstance(minutes, pl.Series) else local
    values = instants.to_arrow().cast(pa.timestamp("us")).cast(pa.int64()).cast(TIMESTAMP)
    shown = time_format or {"timestamp": "", "timestamptz": "OF"}[type_].join(
        ("YYYY-MM-DD HH:MI:SS", "")
    )
    reason = f"Invalid timestamp format or value [{shown}]"
    return Converted(values, faults_where(lost(text, values), 1206, reason))


def dates_of(text: pa.Array, date_format: str | None) -> Converted:
    """Text as dates; time that a format holds is ignored."""
    parts = _parts(text, _pattern("date", date_format))
    values = parts.select(
        pl.format("{}-{}-{}", "year", "month", "day").str.to_date("%Y-%m-%d", strict=False)
    ).to_series()
    dates = values.to_arrow()
    reason = f"Invalid Date Format - length must be 10 or more [{date_format or 'YYYY-MM-DD'}]"
    return Converted(dates, faults_where(lost(text, dates), 1205, reason))


def _pattern(type_: str, format_: str | None) -> str:
    if format_ is None:
        return _DEFAULT[type_]
    return _AUTO if format_ == "auto" else _translated(format_)


def _translated(format_: str) -> str:
    pattern = ""
    for piece in _PART.findall(format_):
        if piece[0].isalpha() and piece not in _PARTS and piece != "T":
            raise Refusal("0A000", f"the format '{format_}' is not covered by the emulator")
        pattern += _PARTS.get(piece, re.escape(piece))
    return f"^{pattern}$"


def _parts(text: pa.Array, pattern: str) -> pl.DataFrame:
    found = pl.Series("text", text).str.strip_chars().str.extract_groups(pattern).struct.unnest()
    names = ("year", "month", "day", "hour", "minute", "second", "fraction", "offset")
    missing = [pl.lit(None, pl.String).alias(name) for name in names if name not in found.columns]
    return found.with_columns(missing)


def _minutes(offsets: pl.Series) -> pl.Series:
    """Offsets from UTC as durations, 0 where there is none."""
    digits = offsets.fill_null("+00").str.strip_chars_start("+-").str.replace(":", "")
    digits = pl.select(
        pl.when(digits.str.len_chars() <= 2).then(digits + "00").otherwise(digits)
    ).to_series()
    number = digits.cast(pl.Int64)
    minutes = number // 100 * 60 + number % 100
    signed = pl.select(
        pl.when(offsets.str.starts_with("-").fill_null(False)).then(-minutes).otherwise(minutes)
    ).to_series()
    return (signed * 60_000_000).cast(pl.Duration("us"))


def _since_1970(text: pa.Array, microseconds: int) -> Converted:
    least, most = FIRST_MICROSECOND // microseconds, (2**63 - 1) // microseconds
    counts = pl.Series(text).cast(pl.Int64, strict=False)
    inside = counts.is_between(least, most)
    held = pl.select(pl.when(inside).then(counts * microseconds)).to_series()
    values = held.to_arrow().cast(TIMESTAMP)
    reason = "Invalid epoch time"
    return Converted(values, faults_where(lost(text, pc.cast(values, pa.int64())), 1206, reason))
