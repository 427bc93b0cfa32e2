"""The page about batch APIs: their limits, the calls, the record of what was sent."""

import json
from datetime import UTC, datetime

import msgspec
import pyarrow as pa

from batch_exports.destinations.http.forms import FORMS, Form, Limit
from batch_exports.destinations.http.manifest import HttpManifest, MessageIds
from batch_exports.models import IDENTIFIES, JSON
from batch_exports.transform.identify_calls import FormName, Job, identify_calls
from batch_exports.transform.message_ids import NAMESPACE, message_ids
from docs.fields import code, paragraphs, table

_START = datetime(2026, 11, 1, 9, tzinfo=UTC)
_EXAMPLE = {
    "record_id": "17",
    "operation": "update",
    "user_id": "u-17",
    "anonymous_id": "a-3",
    "email": "ada@example.com",
    "traits": '{"plan": "pro", "balance": 12.50, "city": null}',
    "root": '{"context": {"ip": "192.0.2.1"}}',
    "batch_id": "users-20261101T090000Z",
    "sent_at": datetime(2026, 11, 1, 10, 1, tzinfo=UTC),
    "data_interval_start": _START,
}


def endpoints() -> str:
    limits = [
        ("added to `endpoint_url`", *(code(form.path) for form in FORMS.values())),
        ("write key", *("in the body" if f.key_in_body else "basic authentication, as user name"
                        for f in FORMS.values())),
        ("bytes of a body, before compression", *(_limit(f.body_bytes) for f in FORMS.values())),
        ("bytes of a call", *(_limit(form.call_bytes) for form in FORMS.values())),
        ("calls in a body", *(_limit(form.calls) for form in FORMS.values())),
        ("characters of an ID", *(_limit(form.id_characters) for form in FORMS.values())),
        ("a wrong key is told", *("yes" if f.tells_key else "no" for f in FORMS.values())),
    ]  # fmt: skip
    return f"""
# Batch APIs over HTTP

## Forms

{table(("", *FORMS), limits)}

Numbers lead to where they are documented. A body has 4,000,000 bytes at most in any form. All
bodies are compressed with gzip.

## Calls

The row

{_json({name: _plain(value) for name, value in _EXAMPLE.items()})}

is this call, by the code that makes it:

{_calls()}

- `email` becomes the trait of that name, unless the traits have one.
- Members of `root` are merged at the call's root, and its `context` into the call's; for PostHog
  they become properties. One that the call has itself makes the row a reject.
- A row without `user_id` is sent under its `anonymous_id`: to PostHog as `$set`, since PostHog
  merges no user later who was identified before. A row with neither is rejected.
- Segment's calls are RudderStack's with the channel `server`, and without `sentAt`.

## Message IDs

`messageId`, or PostHog's `uuid`, is a UUID of version 5 of the namespace
`{NAMESPACE}` and the name `<export>/<data_interval_start>/<record_id>`,
such as `users_out/2026-11-01T09:00:00.000000Z/17`. It is the same whenever the row is sent.

## The record

`<start>-<end>_manifest.json` on S3: {paragraphs(HttpManifest.__doc__)}

`message_ids`: {paragraphs(MessageIds.__doc__)}

```json
{json.dumps(HttpManifest.model_json_schema(), indent=2)}
```
"""


def _limit(limit: Limit | None) -> str:
    return f"[{limit.most:,}]({limit.source})" if limit else ""


def _calls() -> str:
    rows = _rows()
    identified = rows.append_column("message_id", message_ids("users_out", rows))
    job = Job("users_out", "run-1", "0.1.0")

    def call(form: Form) -> str:
        name: FormName = form.name
        (text,) = identify_calls(identified, name, job).to_pylist()
        written = msgspec.json.format(text.removesuffix(","), indent=2)
        return f"{code(form.name)}:\n\n```json\n{written}\n```"

    return "\n\n".join(call(FORMS[name]) for name in ("rudderstack", "posthog"))


def _rows() -> pa.RecordBatch:
    columns = []
    for column in IDENTIFIES.columns:
        storage = pa.string() if column.is_json else column.type
        values = pa.array([_EXAMPLE[column.name]], storage)
        columns.append(pa.ExtensionArray.from_storage(JSON, values) if column.is_json else values)
    return pa.RecordBatch.from_arrays(columns, names=[c.name for c in IDENTIFIES.columns])


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _json(value: object) -> str:
    return f"```json\n{json.dumps(value, indent=2)}\n```"
