"""JSON lines files of a lake: texts as they were written, and errors that name the line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from batch_exports.errors import Terminal
from batch_exports.sources import json_lines
from batch_exports.transform.capabilities import Capabilities, OnUnrepresentable
from batch_exports.transform.clean import LONE_SURROGATE, NOT_UTF8, Cleaned, clean
from batch_exports.transform.filters import PropertyFilter, RowFilter
from batch_exports_tests.sources.lake.lakes import (
    event,
    lake,
    line,
    lines,
    minutes,
    put,
    read,
    select,
    uuids,
)

ROWS = [event(number) for number in range(30)]
HOUR = minutes(0, 60)
GOOD = line(event(0))


def write(root: Path, data: bytes | str) -> Path:
    path = root / "events" / "a.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def one(root: Path, **given: str) -> dict[str, Any]:
    """A line whose members have the given raw JSON, as it is read."""
    members = {"uuid": '"1"', "inserted_at": '"2026-11-01T00:30:00Z"'} | given
    text = ", ".join(f"{json.dumps(name)} : {raw} " for name, raw in members.items())
    write(root, "{" + text + "}\n")
    columns = ("uuid", *(name for name in given if name not in ("uuid", "inserted_at")))
    return read(lake(root), select(*columns), HOUR)[0]


@pytest.mark.parametrize(
    "raw",
    [
        '{"z":1.10,"a":123456789012345678901234567890,"m":1e400,"n":-0}',
        '{ "b" : [ 1 , 2 ] }',
        r'{"a":"\u00e9\/\ud83d\ude00","a":2}',
        "1.10",
        '"text"',
        "[]",
    ],
)
def test_json_keeps_digits_order_and_spelling(raw: str, tmp_path: Path) -> None:
    assert one(tmp_path, properties=raw)["properties"] == raw


def test_null_and_absent_are_null(tmp_path: Path) -> None:
    found = one(tmp_path, properties="null", distinct_id="null", timestamp="null", team_id="null")
    assert set(found.values()) == {"1", None}
    write(tmp_path, '{"uuid":"1","inserted_at":"2026-11-01T00:30:00Z"}\n')
    assert set(read(lake(tmp_path), select(), HOUR)[0]) == {"uuid"}


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("2026-11-01T00:30:00Z", "00:30:00"),
        ("2026-11-01 00:30:00", "00:30:00"),
        ("2026-11-01T00:30", "00:30:00"),
        ("2026-11-01T02:30:00.5+02:00", "00:30:00.500000"),
        ("2026-10-31T17:30:00.000001-0700", "00:30:00.000001"),
    ],
)
def test_times(raw: str, shown: str, tmp_path: Path) -> None:
    found = one(tmp_path, timestamp=f'"{raw}"')["timestamp"]
    assert f"{found:%Y-%m-%d}T{found.time()}" == f"2026-11-01T{shown}"
    assert found.utcoffset().total_seconds() == 0


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**53 + 1, 0])
def test_integers(value: int, tmp_path: Path) -> None:
    assert one(tmp_path, team_id=str(value))["team_id"] == value


def refusal(root: Path, *columns: str) -> str:
    with (
        pytest.raises(Terminal) as caught,
        lake(root).read(select("uuid", *columns), HOUR) as batches,
    ):
        batches.read_all()
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("{broken", 1),
        (f"{GOOD}\n{{broken\n{GOOD}", 2),
        (f"{GOOD}\n\n  \n{GOOD}\n[1]\n", 5),
        (f"{GOOD}\r\n\r\n1\r\n", 3),
        (f"{{\r{GOOD[1:]}\n{{broken", 2),
        (f"{GOOD}\n{GOOD[:-1]}", 2),
        (f"\ufeff{GOOD}", 1),
        (f'{GOOD}\n{{"a":{"[" * 5000}{"]" * 5000}}}', 2),
    ],
)
def test_broken_lines(text: str, number: int, tmp_path: Path) -> None:
    write(tmp_path, text)
    message = refusal(tmp_path)
    assert message.startswith(f"lake:/events/a.jsonl, line {number}: ")
    with pytest.raises(Terminal, match=rf"a\.jsonl, line {number}: "):
        lake(tmp_path).count(select(), HOUR)


@pytest.mark.parametrize(
    ("name", "raw", "shown"),
    [
        ("distinct_id", "1", "Expected `str | null`, got `int`"),
        ("team_id", '"1"', "Expected `int | null`, got `str`"),
        ("team_id", "1.0", "got `float`"),
        ("team_id", str(2**63), "`int` <= 9223372036854775807"),
        ("team_id", str(-(2**70)), "`int` >= -9223372036854775808"),
        ("team_id", "1e400", "out of range"),
        ("timestamp", "0", "Expected `str | null`, got `int`"),
    ],
)
def test_wrong_values(name: str, raw: str, shown: str, tmp_path: Path) -> None:
    bad = '{"uuid":"\\ud800","inserted_at":"2026-11-01T00:30:00Z","%s":%s}' % (name, raw)  # noqa: UP031
    write(tmp_path, f"{GOOD}\n\n{GOOD}\n{bad}\n")
    message = refusal(tmp_path, name)
    assert message.startswith(f"lake:/events/a.jsonl, line 4: {name!r} is {raw}: ")
    assert shown in message


@pytest.mark.parametrize("raw", ["yesterday", "", "2026-13-01T00:00:00Z", "2026-11-01T00:00:60Z"])
def test_wrong_times(raw: str, tmp_path: Path) -> None:
    write(tmp_path, line(event(0, inserted_at=raw)))
    message = refusal(tmp_path)
    assert "lake:/events/a.jsonl: 'inserted_at' holds a value that is not a time" in message


def test_lines_that_belong_to_no_interval(tmp_path: Path) -> None:
    write(tmp_path, lines([event(0), event(1, inserted_at=None)]) + b'{"uuid":"2"}\n')
    assert "lake:/events/a.jsonl: 2 lines have no inserted_at" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_compressed_files_cut_off(name: str, kept: float, tmp_path: Path) -> None:
    path = put(tmp_path, name, ROWS)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert f"lake:/events/{name} cannot be read" in refusal(tmp_path)
    path.write_bytes(lines(ROWS))
    assert f"lake:/events/{name} cannot be read" in refusal(tmp_path)


def test_all_members_of_a_gzip_file_are_read(tmp_path: Path) -> None:
    path = put(tmp_path, "a.jsonl.gz", [])
    path.write_bytes(gzip.compress(lines(ROWS[:10])) + gzip.compress(lines(ROWS[10:])))
    assert uuids(lake(tmp_path), select(), HOUR) == [row["uuid"] for row in ROWS]


@pytest.mark.parametrize("size", [1, 7, 100, 1000, 2**20])
def test_blocks_of_any_size(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", size)
    path = write(tmp_path, lines(ROWS).rstrip(b"\n"))
    assert uuids(lake(tmp_path), select(), HOUR) == [row["uuid"] for row in ROWS]
    path.write_bytes(b"\n\n" + path.read_bytes() + b"\n\n\n{broken\n")
    assert refusal(tmp_path).startswith(f"lake:/events/a.jsonl, line {len(ROWS) + 5}: ")


def cleaned(root: Path, *columns: str, filters: RowFilter | None = None) -> Cleaned:
    selection = select(*columns, filters=filters)
    with lake(root).read(selection, HOUR) as batches:
        batch = batches.read_all().combine_chunks().to_batches()[0]
    assert lake(root).count(selection, HOUR) == batch.num_rows
    return clean(batch, Capabilities(parses_json=True), OnUnrepresentable.REPLACE, ["uuid"])


def test_lone_surrogates_are_replaced_counted_and_kept_aside(tmp_path: Path) -> None:
    """They are JSON by its grammar: one of them must not stop the interval."""
    bad = r'{"same":"\ud800\\ud800","n":1.10,"$set":{"a":"\udfff"},"pair":"\ud83d\ude00"}'
    rows = [ROWS[0], event(1, properties=bad, person_properties=bad.replace("d800", "dbff"))]
    write(tmp_path, lines([*rows, ROWS[2]]))
    result = cleaned(tmp_path, "uuid", "properties", "person_properties", "set")
    assert (result.replaced, result.rejected) == (1, 0)
    found = result.batch.to_pylist()
    assert found[1]["properties"] == (
        r'{"same":"\ufffd\\ud800","n":1.10,"$set":{"a":"\ufffd"},"pair":"\ud83d\ude00"}'
    )
    assert found[1]["set"] == r'{"a":"\ufffd"}'
    assert found[2]["properties"] == ROWS[2]["properties"]
    assert result.aside is not None
    assert result.aside["_reason"].to_pylist() == [LONE_SURROGATE] * 2
    assert result.aside["properties"][0].as_py() == bad.encode()
    assert result.aside["person_properties"][0].as_py() == bad.replace("d800", "dbff").encode()


@pytest.mark.parametrize("bad", [rb"a\ud800b", rb"a\udcffb", b"a\xffb"])
def test_text_that_has_no_characters_is_replaced_and_counted(bad: bytes, tmp_path: Path) -> None:
    ids = ["here", "user", None, "here"]
    rows = [event(at, distinct_id=text, event="here") for at, text in enumerate(ids)]
    write(tmp_path, lines(rows).replace(b'"here"', b'"' + bad + b'"'))
    result = cleaned(tmp_path, "uuid", "distinct_id")
    assert (result.replaced, result.rejected) == (2, 0)
    assert result.batch["distinct_id"].to_pylist() == ["a\ufffdb", "user", None, "a\ufffdb"]
    assert result.aside is not None
    assert set(result.aside["_reason"].to_pylist()) == {NOT_UTF8}
    result = cleaned(tmp_path, "uuid", filters=RowFilter((), ("click",)))
    assert len(result.batch) == len(rows)


def test_filters_see_past_lone_surrogates(tmp_path: Path) -> None:
    bad = r'{"a":"\ud800","plan":"pro"}'
    write(tmp_path, lines([event(0, properties=bad), event(1), event(2, properties=bad)]))
    filters = RowFilter(properties=(PropertyFilter("plan", "event", "exact", "pro"),))
    assert cleaned(tmp_path, "uuid", filters=filters).batch["uuid"].to_pylist() == ["0000", "0002"]


def test_empty_files(tmp_path: Path) -> None:
    for data in (b"", b"\n", b"\n\n  \n"):
        write(tmp_path, data)
        assert read(lake(tmp_path), select(), HOUR) == []
    put(tmp_path, "b.jsonl.gz", [])
    put(tmp_path, "c.jsonl.zst", [])
    (tmp_path / "events" / "d.jsonl.gz").write_bytes(pa.compress(b"", "gzip", asbytes=True))
    assert read(lake(tmp_path), select(), HOUR) == []
