"""Keys: legal, the interval's own, and refused with the remedy where the template cannot work."""

import re
from datetime import UTC, datetime, timedelta
from unicodedata import category

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from batch_exports.destinations.s3.keys import VARIABLES, Keys, KeyStyle, KeyTemplate
from batch_exports.errors import ConfigurationError
from batch_exports.interval import DataInterval

DAY = DataInterval(datetime(2023, 7, 27, tzinfo=UTC), datetime(2023, 7, 28, tzinfo=UTC))

_PLAIN = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"), exclude_characters="/{}"),
    min_size=1,
    max_size=8,
)
_PIECE = _PLAIN | st.sampled_from([f"{{{name}}}" for name in VARIABLES] + ["{{", "}}"])
_SEGMENT = st.lists(_PIECE, min_size=1, max_size=4).map("".join)
_PREFIX = st.lists(_SEGMENT, max_size=4).map("/".join)
_INTERVALS = st.builds(
    lambda start, minutes: DataInterval(start, start + timedelta(minutes=minutes)),
    st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1)).map(
        lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC)
    ),
    st.integers(1, 60 * 24 * 31),
)
_STYLES = st.sampled_from(["safe", "posthog"])


def parse(
    prefix: str,
    *,
    style: KeyStyle = "safe",
    extension: str = "parquet",
    compression: str = "zstd",
    suffix: bool = True,
    numbered: bool = False,
) -> KeyTemplate:
    return KeyTemplate.parse(
        prefix,
        table="events",
        style=style,
        file_extension=extension,
        compression=compression,
        codec_suffix=suffix,
        numbered=numbered,
    )


def every(keys: Keys) -> list[str]:
    return [keys.data(0), keys.data(12), keys.manifest, keys.lock, keys.aside]


@given(_PREFIX, _STYLES, st.booleans(), _INTERVALS)
def test_any_valid_template_gives_legal_keys(
    prefix: str, style: KeyStyle, numbered: bool, interval: DataInterval
) -> None:
    assume(not {".", ".."} & set(prefix.split("/")))
    keys = parse(prefix, style=style, numbered=numbered).keys(interval)
    for key in every(keys):
        assert 0 < len(key.encode()) <= 1024
        assert not {"", ".", ".."} & set(key.split("/"))
        assert not {"Cc", "Cs"} & {category(character) for character in key}
        assert key.startswith(keys.stem)
        assert keys.is_ours(key)


@given(_PREFIX, _STYLES, st.booleans(), _INTERVALS, _INTERVALS)
def test_intervals_never_share_a_key(
    prefix: str, style: KeyStyle, numbered: bool, one: DataInterval, other: DataInterval
) -> None:
    assume(not {".", ".."} & set(prefix.split("/")))
    assume(one != other)
    template = parse(prefix, style=style, numbered=numbered)
    first, second = template.keys(one), template.keys(other)
    assert not any(key.startswith(first.stem) for key in every(second))
    assert not set(every(first)) & set(every(second))


@given(st.integers(0, 99))
def test_files_of_any_number_and_format_are_the_interval_s_own(number: int) -> None:
    keys = parse("p/").keys(DAY)
    for ending in (".parquet", ".parquet.zst", ".jsonl", ".jsonl.gz", ".jsonl.br"):
        assert keys.is_ours(f"{keys.stem}{ending}")
        assert keys.is_ours(f"{keys.stem}-{number}{ending}")
    for foreign in ("", "/x.parquet", " copy.parquet", ".parquet.zst.bak", "-old.parquet", "-1"):
        assert not keys.is_ours(keys.stem + foreign)
    assert not keys.is_ours("p/other.parquet")


@pytest.mark.parametrize("repeated", ["{data_interval_start}", "{data_interval_end}", "é", "a/"])
@pytest.mark.parametrize("style", ["safe", "posthog"])
def test_a_prefix_of_any_length_is_legal_or_refused(repeated: str, style: KeyStyle) -> None:
    refused = 0
    for times in range(1, 2200 // len(repeated)):
        try:
            template = parse(repeated * times, style=style, numbered=True)
        except ConfigurationError as error:
            refused += 1
            assert error.field == "key_prefix"
            assert "1024" in str(error)
        else:
            assert all(len(key.encode()) <= 1024 for key in every(template.keys(DAY)))
    assert refused


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("{week}/", "{week} is not a variable"),
        ("{Year}/", "{Year} is not a variable"),
        ("{ year }/", "{ year } is not a variable"),
        ("{}/", "{} is not a variable"),
        ("{0}/", "{0} is not a variable"),
        ("{table.x}/", "{table.x} is not a variable"),
        ("{table[0]}/", "{table[0]} is not a variable"),
        ("{table.__class__}/", "{table.__class__} is not a variable"),
        ("{table!r}/", "{table!r} is not a variable"),
        ("{year:4}/", "{year:4} is not a variable"),
        ("{year:{month}}/", "{year:{month}} is not a variable"),
        ("{year", "is not a template"),
        ("year}", "is not a template"),
        ("{{{year", "is not a template"),
        ("{table!}", "is not a template"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(prefix: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as failure:
        parse(prefix)
    assert failure.value.field == "key_prefix"
    assert said in failure.value.problem
    assert "{year}" in failure.value.remedy


@pytest.mark.parametrize(
    "prefix",
    ["//", "/a", "a//b", "a//", ".", "./a", "a/.", "a/./b", "..", "../a", "a/../b", "a/.."],
)
def test_segments_that_clients_resolve_are_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError) as failure:
        parse(prefix)
    assert failure.value.field == "key_prefix"
    assert repr(prefix) in failure.value.problem
    assert "without a leading slash" in failure.value.remedy


@pytest.mark.parametrize("prefix", ["a\nb", "a\0", "\x7f", "tab\t/", "\ud800"])
def test_characters_that_no_listing_can_show_are_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError) as failure:
        parse(prefix)
    assert failure.value.field == "key_prefix"
    assert re.search("[Rr]emove", failure.value.remedy)


@pytest.mark.parametrize(
    ("prefix", "key"),
    [
        ("{year}-{month}-{day}_{table}/", "2023-07-27_events/20230727T000000Z-20230728T000000Z"),
        ("", "20230727T000000Z-20230728T000000Z"),
        ("/", "20230727T000000Z-20230728T000000Z"),
        ("a{{b}}", "a{b}/20230727T000000Z-20230728T000000Z"),
        ("{hour}{minute}{second}", "000000/20230727T000000Z-20230728T000000Z"),
        (
            "{data_interval_start}/{data_interval_end}",
            "20230727T000000Z/20230728T000000Z/20230727T000000Z-20230728T000000Z",
        ),
    ],
)
def test_safe_keys_are_of_the_interval_s_start(prefix: str, key: str) -> None:
    assert parse(prefix).keys(DAY).data(0) == f"{key}.parquet.zst"


_ISO = "2023-07-27T00:00:00+00:00-2023-07-28T00:00:00+00:00"


@pytest.mark.parametrize(
    ("extension", "compression", "numbered", "key"),
    [
        ("jsonl", "none", False, f"2023-07-28_events/{_ISO}.jsonl"),
        ("jsonl", "gzip", False, f"2023-07-28_events/{_ISO}.jsonl.gz"),
        ("jsonl", "brotli", True, f"2023-07-28_events/{_ISO}-0.jsonl.br"),
        ("parquet", "none", True, f"2023-07-28_events/{_ISO}-0.parquet"),
        ("parquet", "zstd", False, f"2023-07-28_events/{_ISO}.parquet.zst"),
        ("parquet", "snappy", False, f"2023-07-28_events/{_ISO}.parquet.sz"),
        ("parquet", "lz4", True, f"2023-07-28_events/{_ISO}-0.parquet.lz4"),
        ("parquet", "gzip", False, f"2023-07-28_events/{_ISO}.parquet.gz"),
        ("parquet", "brotli", False, f"2023-07-28_events/{_ISO}.parquet.br"),
    ],
)
def test_posthog_keys_are_those_that_posthog_writes(
    extension: str, compression: str, numbered: bool, key: str
) -> None:
    template = parse(
        "{year}-{month}-{day}_{table}/",
        style="posthog",
        extension=extension,
        compression=compression,
        numbered=numbered,
    )
    keys = template.keys(DAY)
    assert keys.data(0) == key
    assert keys.manifest == f"2023-07-28_events/{_ISO}_manifest.json"


def test_parquet_may_go_without_the_codec_s_suffix() -> None:
    assert parse("p", suffix=False).keys(DAY).data(0).endswith("Z.parquet")
