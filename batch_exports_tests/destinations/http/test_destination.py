"""Deliveries to a receiver: what arrives, what is kept aside, what the record says of both."""

import threading
import uuid
from typing import Any

import pyarrow as pa
import pytest

from batch_exports.destinations.delivery import Delivery
from batch_exports.errors import BatchExportError, Terminal, Transient
from batch_exports.transform.capabilities import OnUnrepresentable
from batch_exports.transform.message_ids import NAMESPACE
from batch_exports_tests.destinations.http.place import Place, identifies, keys_of, stream
from batch_exports_tests.destinations.http.receiver import KEY, answers
from batch_exports_tests.destinations.rows import HOUR, NEXT_HOUR

NO_CALL = "is delete, for which there is no call"
NONE = "is none of insert, update, delete"
OPERATIONS = ["insert", "update", "delete", "upsert", "delete"]


def delivered(place: Place, *batches: pa.RecordBatch, **settings: Any) -> Delivery:
    return place.destination(**settings).write(stream(*batches), HOUR, "run-1")


def message_id(record: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"users/2026-11-01T10:00:00.000000Z/{record}"))


def test_every_row_is_a_call(place: Place) -> None:
    batches = [
        identifies([str(n) for n in range(start, start + 10)]) for start in range(0, 100, 10)
    ]
    delivery = delivered(place, *batches)
    assert (delivery.rows, delivery.rejected, delivery.skipped) == (100, 0, 0)
    assert delivery.uri == f"{place.receiver.address}/v1/batch"
    assert {*place.receiver.calls} == {message_id(str(n)) for n in range(100)}
    assert place.receiver.requests == [100], "small batches make one body"
    record = place.record(delivery)
    assert (record["rows"], record["requests"], record["run_id"]) == (100, 1, "run-1")
    assert record["body_bytes"] == delivery.bytes > 100 * 100
    total = sum(uuid.UUID(each).int >> 64 for each in place.receiver.calls) % 2**64
    assert record["message_ids"] == {
        "acknowledged": f"{total:016x}", "rejected": "0" * 16, "skipped": "0" * 16
    }  # fmt: skip
    assert place.listed() == ["_manifest.json"]
    assert KEY not in str(record)


def test_an_interval_without_rows_is_a_delivery(place: Place) -> None:
    destination = place.destination()
    with pytest.raises(Terminal, match=r"Nothing was delivered.*Materialize"):
        destination.inspect(HOUR)
    assert destination.write(stream(identifies([])), HOUR, "run-1").rows == 0
    assert place.receiver.requests == []
    assert destination.inspect(HOUR, source_keys=keys_of(identifies([]))).problems == ()
    assert destination.keys(HOUR, keys_of(identifies([]))).rows == 0


def test_again_sends_the_same(place: Place) -> None:
    """Receivers drop what they had: https://www.twilio.com/docs/segment/guides/duplicate-data,
    https://www.rudderstack.com/docs/user-guides/administrators-guide/deduplication"""
    rows = identifies(["1", "2", "3"], traits=["{}", "[]", "{}"])
    first = delivered(place, rows)
    calls = dict(place.receiver.calls)
    second = place.destination().write(stream(rows), HOUR, "run-2")
    assert (place.receiver.calls, place.receiver.repeated) == (calls, 2)
    assert second.rows == first.rows == 2
    assert place.record(first)["run_id"] == "run-2"
    # Nothing is rejected any more, and nothing is kept.
    third = place.destination().write(stream(identifies(["1", "2", "3"])), HOUR, "run-3")
    assert (third.rows, third.rejected, third.aside) == (3, 0, None)
    assert place.listed() == ["_manifest.json"]


def test_intervals_have_records_and_ids_of_their_own(place: Place) -> None:
    destination = place.destination()
    destination.write(stream(identifies(["1"])), HOUR, "run-1")
    destination.write(stream(identifies(["1"], NEXT_HOUR)), NEXT_HOUR, "run-2")
    assert len(place.receiver.calls) == 2
    assert len(place.listed()) == 2
    assert destination.delivery(HOUR).rows == destination.delivery(NEXT_HOUR).rows == 1


@pytest.mark.parametrize(
    ("settings", "sent", "skipped", "rejected"),
    [
        ({}, ["user-0", "user-1"], 0, [("2", NO_CALL), ("3", NONE), ("4", NO_CALL)]),
        ({"skip_deletes": True}, ["user-0", "user-1"], 2, [("3", NONE)]),
        ({"skip_deletes": True, "operations": frozenset({"update"})}, ["user-1"], 3, [("3", NONE)]),
    ],
)  # fmt: skip
def test_operations(
    place: Place, settings: Any, sent: list[str], skipped: int, rejected: list[tuple[str, str]]
) -> None:
    rows = identifies(["0", "1", "2", "3", "4"], operation=OPERATIONS)
    delivery = delivered(place, rows, **settings)
    assert place.receiver.ids() == sent
    assert (delivery.rows, delivery.skipped, delivery.rejected) == (
        len(sent), skipped, len(rejected)
    )  # fmt: skip
    assert delivery.source_rows == 5
    kept = place.rejects(delivery)
    assert [(row["record_id"].decode(), row["_reason"]) for row in kept] == rejected
    assert {(row["_action"], row["_column"]) for row in kept} == {("rejected", "operation")}
    found = place.destination().inspect(HOUR, deep=True, source_keys=keys_of(rows))
    assert (found.problems, found.rows) == ((), None)
    recorded = place.destination().recorded([NEXT_HOUR, HOUR])
    assert [(each, record.source_rows) for each, record in recorded.items()] == [(HOUR, 5)]


def test_rows_that_cannot_be_sent_are_kept_with_the_reason(place: Place) -> None:
    rows = identifies(
        ["fine", "nobody", "list", "cut", "large", None, b"\xff", "refused", "root"],
        user_id=["fine", None, "u", "u", "u", "u", "bytes", "refused", "u"],
        traits=["{}", "{}", "[1]", '{"a":', '{"a":"' + "x" * 32_768 + '"}', *["{}"] * 4],
        root=[*[None] * 8, '{"messageId": 1}'],
    )
    place.receiver.is_bad = lambda call: call["userId"] == "refused"
    delivery = delivered(place, rows)
    assert place.receiver.ids() == ["bytes", "fine"]
    assert (delivery.rows, delivery.rejected, delivery.replaced) == (2, 7, 1)
    kept = {row["record_id"]: (row["_column"], row["_reason"]) for row in place.rejects(delivery)}
    assert kept == {
        b"nobody": ("user_id", kept[b"nobody"][1]),
        b"list": ("traits", "is not a JSON object"),
        b"cut": ("traits", "is not valid JSON"),
        b"large": ("traits", kept[b"large"][1]),
        None: ("record_id", "is missing, and the column takes no NULL"),
        b"\xff": ("record_id", "has bytes that are not UTF-8"),
        b"refused": ("", 'was refused by the endpoint (400: {"error": "a bad call"})'),
        b"root": ("root", "has messageId, which the call has itself"),
    }
    assert kept[b"large"][1].endswith("bytes, and 32768 are allowed")
    ids = {row["record_id"]: row["message_id"].decode() for row in place.rejects(delivery)}
    assert ids[b"list"] == message_id("list")
    # IDs are made of the source's own bytes, as checks find them there.
    found = place.destination().inspect(HOUR, deep=True, source_keys=keys_of(rows))
    assert found.problems == ()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"traits": ["{"]}, "traits of the row"),
        ({"user_id": [None]}, "user_id of the row 1 is empty"),
        ({"user_id": ["bad"]}, "The call of the row 1 was refused by the endpoint"),
    ],
)
def test_a_row_may_fail_the_run(place: Place, given: Any, problem: str) -> None:
    place.receiver.is_bad = lambda call: call["userId"] == "bad"
    destination = place.destination(on_unrepresentable=OnUnrepresentable.FAIL)
    with pytest.raises(Terminal, match=problem):
        destination.write(stream(identifies(["1"], **given)), HOUR, "run-1")
    assert place.listed() == []
    # What becomes of deletes is told apart.
    deletes = identifies(["1"], operation=["delete"])
    assert destination.write(stream(deletes), HOUR, "run-2").rejected == 1


def test_long_ids_are_not_cut(start: Any, place: Place) -> None:
    """PostHog keeps 200 characters of a distinct ID:
    https://github.com/PostHog/posthog/blob/master/rust/common/types/src/event.rs"""
    place.receiver = start("posthog")
    delivery = delivered(place, identifies(["1", "2"], user_id=["é" * 200, "é" * 201]))
    assert place.receiver.ids() == ["é" * 200]
    assert delivery.rejected == 1


def test_a_large_interval_goes_in_many_bodies(start: Any, place: Place) -> None:
    place.receiver = start("segment", most_bytes=500_000)
    rows = identifies([str(n) for n in range(20_000)])
    delivery = delivered(place, rows)
    assert (delivery.rows, len(place.receiver.calls)) == (20_000, 20_000)
    assert max(place.receiver.requests) <= 2500
    assert place.record(delivery)["requests"] == len(place.receiver.requests) > 10
    found = place.destination().inspect(HOUR, source_keys=keys_of(rows))
    assert found.problems == ()


@pytest.mark.parametrize("fault", ["source", "endpoint"])
def test_a_failure_halfway_leaves_the_record_as_it_was(place: Place, fault: str) -> None:
    destination = place.destination(patience_seconds=0.1)
    destination.write(stream(identifies(["1"])), HOUR, "run-1")
    more = identifies(["1", "2"], traits=["{}", "[]"])

    def fail() -> None:
        raise LookupError

    if fault == "source":
        with pytest.raises(LookupError):
            destination.write(stream(more, then=fail), HOUR, "run-2")
    else:
        place.receiver.faults += [answers(503)] * 100
        with pytest.raises(Transient, match="answers 503"):
            destination.write(stream(more), HOUR, "run-2")
        place.receiver.faults.clear()
    assert destination.delivery(HOUR).rows == 1
    assert place.listed() == ["_manifest.json"]
    assert not place.client.list_multipart_uploads(Bucket=place.bucket).get("Uploads")
    destination.write(stream(more), HOUR, "run-3")
    assert place.listed() == ["_manifest.json", "_rejects.arrow"]


def test_two_runs_at_once_do_not_both_send(place: Place) -> None:
    halfway, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        halfway.set()
        assert go_on.wait(60)

    rows = identifies(["1"])
    failed: list[BatchExportError] = []

    def second() -> None:
        try:
            place.destination(lease_seconds=8).write(stream(rows), HOUR, "run-2")
        except BatchExportError as error:
            failed.append(error)

    def first() -> None:
        place.destination(lease_seconds=8).write(stream(rows, then=hold), HOUR, "run-1")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert halfway.wait(60)
    threads[1].start()
    threads[1].join(60)
    go_on.set()
    threads[0].join()
    assert [type(error) for error in failed] == [Transient]
    assert "run-1" in str(failed[0])
    assert place.receiver.repeated == 0


def test_another_export_s_record_is_not_overwritten(place: Place) -> None:
    delivered(place, identifies(["1"]))
    with pytest.raises(Terminal, match="The export 'users' keeps its record at") as caught:
        delivered(place, identifies(["1"]), export="others")
    assert "record.key_prefix" in caught.value.remedy
    assert len(place.receiver.calls) == 1


def test_rows_that_change_after_the_delivery_are_found(place: Place) -> None:
    rows = identifies(["1", "2"])
    delivered(place, rows)
    destination = place.destination()
    for changed in (["1"], ["1", "3"], ["1", "2", "3"]):
        found = destination.inspect(HOUR, source_keys=keys_of(identifies(changed)))
        assert len(found.problems) == 1
        assert "other message IDs" in found.problems[0]
    # The order in which the source gives them is none of it.
    assert destination.inspect(HOUR, source_keys=keys_of(identifies(["2", "1"]))).problems == ()


def test_what_is_wrong_with_the_record_is_found(place: Place) -> None:
    rows = identifies(["1", "2"], traits=["{}", "[]"])
    delivery = delivered(place, rows)
    destination = place.destination()
    assert delivery.aside
    key = delivery.aside.removeprefix(f"s3://{place.bucket}/")
    place.client.put_object(Bucket=place.bucket, Key=key, Body=b"other")
    (problem,) = destination.inspect(HOUR).problems
    assert problem == f"{key} is not the object that the record tells of."
    place.client.delete_object(Bucket=place.bucket, Key=key)
    (problem,) = destination.inspect(HOUR).problems
    assert problem == f"{key} is in the record, and not in the bucket."
    record = delivery.record.removeprefix(f"s3://{place.bucket}/")
    place.client.put_object(Bucket=place.bucket, Key=record, Body=b"{}")
    with pytest.raises(Terminal, match="no record of a delivery"):
        destination.delivery(HOUR)
    destination.write(stream(rows), HOUR, "run-2")
    assert destination.inspect(HOUR).problems == ()


def test_columns_and_keys(place: Place) -> None:
    rows = identifies(["1", "1", "2"])
    destination = place.destination()
    destination.write(stream(rows), HOUR, "run-1")
    assert len(place.receiver.calls) == 2
    keys = destination.keys(HOUR, keys_of(rows))
    assert (keys.rows, keys.nulls, keys.duplicates) == (3, 0, 1)
    schema = rows.schema
    assert destination.columns(HOUR, schema).problems == ()
    other = schema.append(pa.field("phone", pa.string()))
    assert destination.columns(HOUR, other).problems == (
        "Calls were made of phone as missing, not as string.",
    )
