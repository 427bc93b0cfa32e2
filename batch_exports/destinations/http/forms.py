"""What tells the batch APIs of RudderStack, Segment and PostHog apart, as data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from batch_exports.transform.identify_calls import FormName


@dataclass(frozen=True)
class Limit:
    """The most that is allowed, and where that is written."""

    most: int
    source: str


@dataclass(frozen=True)
class Form:
    """An API. Bodies are counted before compression.

    `id_characters` is how much of a user's ID is told from another's. `key_in_body`: the write key
    is a member of the body, and not the user name of basic authentication. `tells_key`: the answer
    to a batch without calls says whether the key is right.
    """

    name: FormName
    path: str
    body_bytes: Limit
    call_bytes: Limit
    calls: Limit | None = None
    id_characters: Limit | None = None
    key_in_body: bool = False
    tells_key: bool = False

    def envelope(self, write_key: str) -> tuple[bytes, bytes]:
        """What stands before the calls of a body, and behind them."""
        key = f'"api_key":{json.dumps(write_key)},' if self.key_in_body else ""
        return f'{{{key}"batch":['.encode(), b"]}"


_RUDDERSTACK = "https://www.rudderstack.com/docs/api/http-api/"
_SEGMENT = (
    "https://www.twilio.com/docs/segment/connections/sources/catalog/libraries/server/http-api"
)
_POSTHOG = "https://posthog.com/docs/api/capture"
_POSTHOG_WARNINGS = "https://posthog.com/docs/data/ingestion-warnings"
_POSTHOG_EVENT = "https://github.com/PostHog/posthog/blob/master/rust/common/types/src/event.rs"

# Of a size that may be read in two ways, the smaller one counts where the API would answer 200 and
# drop what is too large, and for bodies; else the larger one, since a refusal is seen.
FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form(
            "rudderstack",
            path="/v1/batch",
            body_bytes=Limit(4_000_000, _RUDDERSTACK),
            call_bytes=Limit(32 * 1024, _RUDDERSTACK),
            # https://github.com/rudderlabs/rudder-server/blob/master/gateway/handle_http_auth.go
            tells_key=True,
        ),
        Form(
            "segment",
            path="/v1/batch",
            body_bytes=Limit(500_000, _SEGMENT),
            call_bytes=Limit(32 * 1024, _SEGMENT),
            # With more it answers 200, and takes none.
            calls=Limit(2500, _SEGMENT),
        ),
        Form(
            "posthog",
            path="/batch/",
            body_bytes=Limit(20_000_000, _POSTHOG),
            # Larger ones are answered with 200, and dropped.
            call_bytes=Limit(1_000_000, _POSTHOG_WARNINGS),
            # It cuts longer IDs, and would take two users for one.
            id_characters=Limit(200, _POSTHOG_EVENT),
            key_in_body=True,
        ),
    )
}
