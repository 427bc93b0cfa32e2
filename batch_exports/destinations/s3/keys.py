"""Object keys: a prefix from the user's template, then the interval's bounds."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Formatter
from typing import Literal
from unicodedata import category

from batch_exports.errors import ConfigurationError
from batch_exports.interval import DataInterval
from batch_exports.transform.shard import Shard

KeyStyle = Literal["safe", "posthog"]

VARIABLES = (
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "table",
    "data_interval_start",
    "data_interval_end",
)
_MAX_KEY_BYTES = 1024
_MOST_FILES = 99_999
# The keys of all intervals are equally long.
_ANY_INTERVAL = DataInterval(datetime(2000, 1, 1, tzinfo=UTC), datetime(2000, 1, 2, tzinfo=UTC))
_ENDING = re.compile(r"(-\d+)?(\.\w+){1,2}|_\w+\.\w+")
_SUFFIXES = {"gzip": "gz", "brotli": "br", "zstd": "zst", "lz4": "lz4", "snappy": "sz"}


@dataclass(frozen=True)
class Keys:
    """The keys of one data interval.

    `stem` is what all of them begin with; nothing but the interval's own objects begins so. Those
    of one `shard` are no other shard's: files of shard 1 of 4 have the numbers 1, 5, 9 and so on.
    """

    stem: str
    extension: str
    numbered: bool
    shard: Shard | None = None

    def data(self, number: int) -> str:
        if self.shard:
            number = number * self.shard.of + self.shard.index
        return f"{self.stem}-{number}{self.extension}" if self.numbered else self._only

    @property
    def _only(self) -> str:
        return f"{self.stem}{self.extension}"

    @property
    def manifest(self) -> str:
        return f"{self.stem}_manifest.json"

    @property
    def lock(self) -> str:
        return f"{self.stem}_lock.json"

    @property
    def aside(self) -> str:
        return f"{self.stem}_rejects{f'_{self.shard.index}' if self.shard else ''}.arrow"

    def is_ours(self, key: str) -> bool:
        """Whether a key that begins with the stem is of this interval, in whatever format."""
        return key.startswith(self.stem) and bool(_ENDING.fullmatch(key[len(self.stem) :]))


@dataclass(frozen=True)
class KeyTemplate:
    """Where an export's objects lie. Build it with `parse`, which checks the template."""

    prefix: str
    table: str
    style: KeyStyle
    extension: str
    numbered: bool

    @classmethod
    def parse(
        cls,
        prefix: str,
        *,
        table: str,
        style: KeyStyle,
        file_extension: str,
        compression: str,
        codec_suffix: bool,
        numbered: bool,
    ) -> "KeyTemplate":
        """Check the prefix. Raises `ConfigurationError` for a variable that does not exist, an
        index or an attribute of one, segments that are empty, `.` or `..`, control characters,
        and keys too long for S3."""
        _check_characters(prefix)
        _check_variables(prefix)
        _check_segments(prefix)
        suffix = f".{_SUFFIXES[compression]}" if codec_suffix and compression != "none" else ""
        template = cls(prefix.strip("/"), table, style, f".{file_extension}{suffix}", numbered)
        _check_length(template.keys(_ANY_INTERVAL))
        return template

    def keys(self, interval: DataInterval, shard: Shard | None = None) -> Keys:
        start, end = self._bounds(interval)
        moment = interval.end if self.style == "posthog" else interval.start
        prefix = self.prefix.format_map(
            {
                **{name: f"{getattr(moment, name):02}" for name in VARIABLES[:6]},
                "table": self.table,
                "data_interval_start": start,
                "data_interval_end": end,
            }
        )
        stem = f"{prefix}/{start}-{end}" if prefix else f"{start}-{end}"
        return Keys(stem, self.extension, self.numbered, shard)

    def _bounds(self, interval: DataInterval) -> tuple[str, str]:
        if self.style == "posthog":
            return interval.start.isoformat(), interval.end.isoformat()
        return _compact(interval.start), _compact(interval.end)


def _compact(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def _check_characters(prefix: str) -> None:
    if bad := next((c for c in prefix if category(c) in ("Cc", "Cs")), None):
        raise ConfigurationError(
            "key_prefix",
            f"{prefix!r} has the control character {bad!r}, which listings cannot show.",
            remedy="Remove it.",
        )


def _check_variables(prefix: str) -> None:
    try:
        parts = list(Formatter().parse(prefix))
    except ValueError as error:
        raise ConfigurationError(
            "key_prefix",
            f"{prefix!r} is not a template ({error}).",
            remedy="Write variables as {year}; a brace of its own is written twice.",
        ) from error
    for _, name, form, conversion in parts:
        if name is not None and (name not in VARIABLES or form or conversion):
            rest = f"!{conversion}" if conversion else f":{form}" if form else ""
            raise ConfigurationError(
                "key_prefix",
                f"{{{name}{rest}}} is not a variable.",
                remedy=f"The variables are {', '.join(f'{{{v}}}' for v in VARIABLES)}.",
            )


def _check_segments(prefix: str) -> None:
    inner = prefix.removesuffix("/")
    if inner and any(segment in ("", ".", "..") for segment in inner.split("/")):
        raise ConfigurationError(
            "key_prefix",
            f"{prefix!r} has a segment that is empty, '.' or '..'.",
            remedy="Write it like {year}/{month}/{table}/, without a leading slash.",
        )


def _check_length(keys: Keys) -> None:
    longest = max(len(key.encode()) for key in (keys.data(_MOST_FILES), keys.manifest, keys.aside))
    if longest > _MAX_KEY_BYTES:
        raise ConfigurationError(
            "key_prefix",
            f"it makes keys of {longest} bytes.",
            remedy=f"Shorten it: S3's keys have at most {_MAX_KEY_BYTES}.",
        )
