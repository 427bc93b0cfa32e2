"""Calls as JSON, compared with those that a plain builder makes of one row after the other."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_exports.models import IDENTIFIES, JSON
from batch_exports.transform.identify_calls import NO_ID, FormName, Job, identify_calls, unfit
from batch_exports.transform.root_members import NOT_AN_OBJECT
from batch_exports_tests.transform.strategies import JSON_VALUES

Row = dict[str, Any]

SENT = datetime(2026, 11, 1, 2, 30, 0, 120, tzinfo=UTC)
JOB = Job("users", "run-1", "1.2.3")
TEXT = st.text(max_size=6) | st.sampled_from(['"', "\\", "\n\t\x00", "é😀", "a,b"])
IDS = TEXT.filter(str.strip)
NAMES = st.sampled_from(["plan", "a", "é", '"', "email", "source"])
OBJECTS = st.dictionaries(NAMES, JSON_VALUES, max_size=3)
ROOTS = st.none() | st.fixed_dictionaries({}, optional={"x": JSON_VALUES, "context": OBJECTS})
FORMS: Sequence[FormName] = ("rudderstack", "segment", "posthog")
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "record_id": TEXT,
            "user_id": IDS,
            "anonymous_id": st.none() | IDS | st.just(" "),
            "email": st.none() | TEXT,
            "traits": st.none() | OBJECTS,
            "root": ROOTS,
            "batch_id": TEXT,
            "message_id": st.uuids().map(str),
        }
    ),
    min_size=1,
    max_size=4,
)


def row(**given: Any) -> Row:
    plain = {"record_id": "1", "operation": "insert", "user_id": "u", "batch_id": "b"}
    moments = {"sent_at": SENT, "data_interval_start": SENT}
    return {**dict.fromkeys(batch_schema().names), **plain, **moments, "message_id": "m", **given}


def batch_schema() -> pa.Schema:
    fields = [pa.field(c.name, c.type, nullable=c.nullable) for c in IDENTIFIES.columns]
    return pa.schema([*fields, pa.field("message_id", pa.string())])


def batch(rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """JSON columns take their text, or what they shall say."""
    schema, columns = batch_schema(), []
    for field in schema:
        values = [each[field.name] for each in rows]
        if field.type.equals(JSON):
            texts = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
            columns.append(pa.ExtensionArray.from_storage(JSON, pa.array(texts, pa.string())))
        else:
            columns.append(pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def calls(rows: pa.RecordBatch, form: FormName) -> list[Row]:
    return [
        json.loads(text.removesuffix(",")) for text in identify_calls(rows, form, JOB).to_pylist()
    ]


def naive(row: Row, form: FormName) -> Row:
    user, anonymous = row["user_id"], (row["anonymous_id"] or "").strip() and row["anonymous_id"]
    root, traits = dict(row["root"] or {}), dict(row["traits"] or {})
    if row["email"] is not None:
        traits.setdefault("email", row["email"])
    sent = "2026-11-01T02:30:00.000120Z"
    if form == "posthog":
        properties = {**root, "$set": traits}
        if user and anonymous:
            properties["$anon_distinct_id"] = anonymous
        return {
            "event": "$identify" if user else "$set",
            "distinct_id": user or anonymous,
            "uuid": row["message_id"],
            "timestamp": sent,
            "properties": properties,
        }
    run = {"job_run_id": "run-1", "task_run_id": "run-1", "batch_id": row["batch_id"]}
    job = {"job_id": "users", "task_id": "identifies", "version": "1.2.3", **run}
    call = {
        **root,
        "type": "identify",
        "traits": traits,
        "context": {**root.get("context", {}), "sources": job},
        "timestamp": sent,
        "channel": {"rudderstack": "sources", "segment": "server"}[form],
        "recordId": row["record_id"],
        "messageId": row["message_id"],
    }
    ids = {"userId": user, "anonymousId": anonymous}
    extra = {"sentAt": sent} if form == "rudderstack" else {}
    return {**call, **extra, **{name: value for name, value in ids.items() if value}}


@pytest.mark.parametrize("form", FORMS)
@given(rows=ROWS)
def test_calls_say_what_rows_say(form: FormName, rows: list[Row]) -> None:
    whole = [row(**each) for each in rows]
    made = batch(whole)
    assert list(unfit(made, form)) == []
    expected = [naive(each, form) for each in whole]
    assert calls(made, form) == expected
    # A part of a batch has the buffers of all of it.
    assert calls(made.slice(1), form) == expected[1:]


@pytest.mark.parametrize("form", FORMS)
def test_who_is_anonymous_still(form: FormName) -> None:
    anonymous = row(user_id=None, anonymous_id="a-1", traits={"plan": "pro"})
    assert calls(batch([anonymous]), form) == [naive(anonymous, form)]


def test_json_stays_as_it_is() -> None:
    """Numbers keep their digits, names their order, a trait its own e-mail address."""
    traits = ' {"n": 12345678901234567890.10, "email": null, "b": [1.0]}\n'
    (text,) = identify_calls(batch([row(traits=traits, email="e")]), "segment", JOB).to_pylist()
    assert f'"traits":{traits.strip()},' in text


@pytest.mark.parametrize(
    ("given", "column", "reason"),
    [
        ({"user_id": None}, "user_id", NO_ID),
        ({"user_id": " ", "anonymous_id": "\t\n"}, "user_id", NO_ID),
        ({"traits": "[]"}, "traits", NOT_AN_OBJECT),
        ({"traits": "null"}, "traits", NOT_AN_OBJECT),
        ({"root": "1"}, "root", NOT_AN_OBJECT),
        ({"root": '{"context": []}'}, "root", NOT_AN_OBJECT),
        ({"root": '{"userId": 1}'}, "root", "has userId, which the call has itself"),
        ({"root": '{"context": {"sources": 1}}'}, "root", "has context.sources, which the call"),
    ],
)
def test_rows_without_a_call(given: Row, column: str, reason: str) -> None:
    (found,) = unfit(batch([row(), row(**given), row()]), "rudderstack")
    assert found[:2] == (1, column)
    assert found[2].startswith(reason)
