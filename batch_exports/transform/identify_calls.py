"""Rows of the model identifies as calls of the batch APIs of RudderStack, Segment and PostHog.

Calls are JSON text, put together from whole columns.

https://www.rudderstack.com/docs/event-spec/standard-events/identify/
https://www.twilio.com/docs/segment/connections/spec/identify
https://posthog.com/docs/api/capture
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_exports.transform.json_arrays import json_arrays
from batch_exports.transform.json_text import contents
from batch_exports.transform.message_ids import iso
from batch_exports.transform.root_members import NOT_AN_OBJECT, RootMembers, root_members

FormName = Literal["rudderstack", "segment", "posthog"]

NO_ID = "is empty, as is anonymous_id: nobody could tell who the call is about"

_MESSAGE_ID = "message_id"
_CHANNELS = {"rudderstack": "sources", "segment": "server"}
_TIMES = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
_IDS = ("userId", "anonymousId", "recordId", "messageId")
_OF_IDENTIFY = frozenset(("type", "traits", "channel", *_IDS, *_TIMES))
_OF_POSTHOG = frozenset({"$set", "$anon_distinct_id", "distinct_id"})
_EMAIL = msgspec.json.Decoder(
    msgspec.defstruct("Traits", [("email", msgspec.Raw, msgspec.field(default=msgspec.Raw(b"")))])
)


@dataclass(frozen=True)
class Job:
    """What is told of where calls come from: the export's name, the run, the version of this."""

    export: str
    run_id: str
    version: str


def unfit(rows: pa.RecordBatch, form: FormName) -> Iterator[tuple[int, str, str]]:
    """Positions of rows of which no call can be made, each with column and reason.

    Rows must be clean: JSON columns are JSON. A row may be named more than once.
    """
    no_id = pc.and_(pc.is_null(_named(rows, "user_id")), pc.is_null(_named(rows, "anonymous_id")))
    for position in pc.indices_nonzero(no_id).to_pylist():
        yield position, "user_id", NO_ID
    objects = pc.starts_with(_traits(rows), "{")
    for position in pc.indices_nonzero(pc.invert(objects)).to_pylist():
        yield position, "traits", NOT_AN_OBJECT
    faults = _roots(rows, form).faults
    for position in pc.indices_nonzero(pc.is_valid(faults)).to_pylist():
        yield position, "root", faults[position].as_py()


def identify_calls(rows: pa.RecordBatch, form: FormName, job: Job) -> pa.Array:
    """The call of each row as JSON text, with a comma behind it.

    Rows have the model's columns and `message_id`, are clean, and none is `unfit`. IDs of white
    space alone are none. `email` becomes a trait, unless the traits have one.
    """
    pieces = _posthog(rows) if form == "posthog" else _identify(rows, form, job)
    return pc.binary_join_element_wise(*pieces, "},", "")


def _identify(rows: pa.RecordBatch, form: FormName, job: Job) -> list[Any]:
    roots = _roots(rows, form)
    sources = {
        "job_id": job.export,
        "task_id": "identifies",
        "job_run_id": job.run_id,
        "task_run_id": job.run_id,
        "version": job.version,
    }
    sent_at = pc.binary_join_element_wise('"', iso(rows.column("sent_at")), '"', "")
    # RudderStack keeps a timestamp that it is given. Segment would shift it by what lies between
    # sentAt and the arrival, so that it gets none.
    sent = ['"sentAt":', sent_at, ","] if form == "rudderstack" else []
    return [
        '{"type":"identify",',
        _member("userId", _named(rows, "user_id")),
        _member("anonymousId", _named(rows, "anonymous_id")),
        '"traits":',
        _traits_with_email(rows),
        ',"context":{',
        roots.inner,
        f'"sources":{json.dumps(sources)[:-1]},"batch_id":',
        _quoted(rows.column("batch_id")),
        "}},",
        roots.root,
        '"timestamp":',
        sent_at,
        ",",
        *sent,
        f'"channel":"{_CHANNELS[form]}",',
        _member("recordId", rows.column("record_id")),
        '"messageId":',
        _quoted(rows.column(_MESSAGE_ID)),
    ]


def _posthog(rows: pa.RecordBatch) -> list[Any]:
    """`$identify` says that the anonymous user is the known one. Who is anonymous still is only
    given properties, since PostHog merges nobody later whom it takes for known."""
    user, anonymous = _named(rows, "user_id"), _named(rows, "anonymous_id")
    known = pc.is_valid(user)
    return [
        '{"event":"',
        pc.if_else(known, "$identify", "$set"),
        '",',
        _member("distinct_id", pc.coalesce(user, anonymous)),
        '"uuid":',
        _quoted(rows.column(_MESSAGE_ID)),
        ',"timestamp":"',
        iso(rows.column("sent_at")),
        '","properties":{',
        _roots(rows, "posthog").root,
        _member("$anon_distinct_id", pc.if_else(known, anonymous, None)),
        '"$set":',
        _traits_with_email(rows),
        "}",
    ]


def _roots(rows: pa.RecordBatch, form: FormName) -> RootMembers:
    """PostHog takes no members beside its own: they become properties."""
    values = rows.column("root").storage
    if form == "posthog":
        return root_members(values, _OF_POSTHOG)
    return root_members(values, _OF_IDENTIFY, "context", frozenset({"sources"}))


def _traits(rows: pa.RecordBatch) -> pa.Array:
    return pc.fill_null(pc.ascii_trim(rows.column("traits").storage, " \t\r\n"), "{}")


def _traits_with_email(rows: pa.RecordBatch) -> pa.Array:
    traits, email = _traits(rows), rows.column("email")
    if email.null_count == len(email):
        return traits
    behind = pc.replace_substring(traits, "{", "", max_replacements=1)
    is_empty = pc.starts_with(pc.ascii_ltrim(behind, " \t\r\n"), "}")
    added = pc.binary_join_element_wise(
        '{"email":', _quoted(email), pc.if_else(is_empty, "", ","), behind, ""
    )
    wanted = pc.and_not(pc.is_valid(email), _have_email(traits))
    return pc.if_else(wanted, added, traits)


def _have_email(objects: pa.Array) -> pa.Array:
    lines = contents(pc.binary_join_element_wise(objects, "\n", ""))
    lengths = map(len, map(attrgetter("email"), _EMAIL.decode_lines(lines)))
    return pc.greater(pa.array(lengths, pa.int64()), 0)


def _named(rows: pa.RecordBatch, column: str) -> pa.Array:
    """IDs; NULL for white space, which all three take for none."""
    values = rows.column(column)
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(values), ""), None, values)


def _member(name: str, values: pa.Array) -> pa.Array:
    """`"name":"value",`; nothing for NULL."""
    return pc.fill_null(
        pc.binary_join_element_wise(f"{json.dumps(name)}:", _quoted(values), ",", ""), ""
    )


def _quoted(values: pa.Array) -> pa.Array:
    """Text as JSON strings. NULL stays NULL."""
    ones = pa.ListArray.from_arrays(pa.array(np.arange(len(values) + 1, dtype=np.int32)), values)
    inside = pc.binary_slice(json_arrays(ones).cast(pa.binary()), 1, -1).view(pa.string())
    return pc.if_else(pc.is_valid(values), inside, None)
