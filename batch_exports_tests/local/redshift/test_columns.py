"""Whole columns of text as the target's types, beside what Python makes of each value."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.local.redshift.converted import Converted
from batch_exports.local.redshift.copy_statement import parse_copy
from batch_exports.local.redshift.number_columns import numbers_of
from batch_exports.local.redshift.super_columns import documents_of, fit_documents
from batch_exports.local.redshift.text_columns import fit_text
from batch_exports.local.redshift.time_columns import times_of
from batch_exports_tests.local.redshift.copying import column
from batch_exports_tests.transform.strategies import json_texts

COPY = parse_copy("COPY t FROM 's3://b/k' IAM_ROLE default JSON")
CUT = parse_copy("COPY t FROM 's3://b/k' IAM_ROLE default JSON TRUNCATECOLUMNS ACCEPTINVCHARS")


def codes(converted: Converted) -> dict[int, int]:
    return {fault.position: fault.code for fault in converted.faults}


@given(st.lists(st.none() | st.binary(max_size=8) | st.text(max_size=8).map(str.encode)))
def test_text(values: list[bytes | None]) -> None:
    """r_Character_types.html: bytes, not characters."""
    text = pa.array(values, pa.binary()).view(pa.string())
    bad = codes(fit_text(text, column("varchar(4)"), COPY))
    for position, value in enumerate(values):
        fits = value is None or (is_utf8(value) and b"\0" not in value and len(value) <= 4)
        assert fits == (position not in bad)
    cut = fit_text(text, column("varchar(4)"), CUT).values.to_pylist()
    assert all(value is None or len(value.encode()) <= 4 for value in cut)


def is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.lists(st.decimals(-99_999, 99_999, places=6, allow_nan=False) | st.none()))
def test_decimals(values: list[Decimal | None]) -> None:
    """copy-parameters-data-conversion.html#copy-roundec: cut, not rounded."""
    text = pa.array([None if value is None else f"{value:f}" for value in values], pa.string())
    converted = numbers_of(text, column("numeric(6,2)"))
    bad = codes(converted)
    for position, value in enumerate(values):
        if value is None or abs(value) < 10_000:
            cut = None if value is None else value.quantize(Decimal("0.01"), ROUND_DOWN)
            assert converted.values[position].as_py() == cut
            assert position not in bad
        else:
            assert bad[position] == 1204


@given(st.lists(st.integers(-(2**70), 2**70) | st.none()))
def test_integers(values: list[int | None]) -> None:
    text = pa.array([None if value is None else str(value) for value in values], pa.string())
    converted = numbers_of(text, column("int8"))
    beyond = [v is not None and not -(2**63) <= v < 2**63 for v in values]
    assert codes(converted) == {p: 1222 for p, is_beyond in enumerate(beyond) if is_beyond}
    expected = [None if is_beyond else v for v, is_beyond in zip(values, beyond, strict=True)]
    assert converted.values.to_pylist() == expected


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)


@given(st.lists(TIMES), st.sampled_from(" T"))
def test_times(values: list[datetime], between: str) -> None:
    """automatic-recognition.html; of TIMESTAMP, the zone is passed over."""
    text = pa.array([value.isoformat(between) for value in values], pa.string())
    instants = times_of(text, "timestamptz", "auto")
    assert (codes(instants), instants.values.to_pylist()) == ({}, utc(values))
    clocks = times_of(text, "timestamp", "auto").values.to_pylist()
    assert clocks == [value.replace(tzinfo=UTC) for value in values]


def utc(values: list[datetime]) -> list[datetime]:
    return [value.astimezone(UTC) for value in values]


@given(st.lists(json_texts()))
def test_documents_keep_their_values(texts: list[str]) -> None:
    """r_SUPER_type.html"""
    converted = fit_documents(pa.array(texts, pa.string()), large_strings=False)
    assert converted.faults == []
    for text, kept in zip(texts, converted.values.to_pylist(), strict=True):
        assert exact(kept) == exact(text)
        assert len(kept) <= len(text)


def exact(text: str) -> Any:
    return json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=list)


@given(st.lists(st.none() | st.text(st.characters(codec="utf-8"))))
def test_strings_stay_strings(values: list[str | None]) -> None:
    """ingest-super.html#parse_json"""
    documents = documents_of(pa.array(values, pa.string())).to_pylist()
    assert [None if text is None else json.loads(text) for text in documents] == values
