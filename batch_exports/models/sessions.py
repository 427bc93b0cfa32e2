"""The sessions model: one row per session, again whenever the session has grown."""

from collections.abc import Mapping

import pyarrow as pa

from batch_exports.models.model import TIMESTAMP, Column, Model

_TEXT, _INTEGER = pa.string(), pa.int64()

# What campaigns and networks add to the URL of a link, by the names of PostHog's taxonomy:
# https://github.com/PostHog/posthog/blob/master/posthog/taxonomy/taxonomy.py
_UTM: Mapping[str, str] = {
    "utm_source": "UTM source, such as the site that the link stood on",
    "utm_campaign": "UTM campaign",
    "utm_medium": "UTM medium, such as email",
    "utm_term": "UTM term, such as the keyword of an advertisement",
    "utm_content": "UTM content, which tells links of a campaign apart",
}
_CLICK_IDS: Mapping[str, str] = {
    "gclid": "Google click ID",
    "fbclid": "Facebook click ID",
    "gad_source": "Google Ads source",
}
_LATER_CLICK_IDS: Mapping[str, str] = {
    "gclsrc": "Google click source",
    "dclid": "DoubleClick ID",
    "gbraid": "Google Ads, web to app",
    "wbraid": "Google Ads, app to web",
    "msclkid": "Microsoft click ID",
    "twclid": "Twitter (X) click ID",
    "li_fat_id": "LinkedIn first-party ad tracking ID",
    "mc_cid": "Mailchimp campaign ID",
    "igshid": "Instagram share ID",
    "ttclid": "TikTok click ID",
    "_kx": "Klaviyo tracking ID",
    "irclid": "Impact click ID",
}


def _from_entry(name: str, meaning: str, *, optional: bool = False) -> Column:
    text = f"`{name}` at the beginning of the session: {meaning}."
    return Column(f"entry_{name}", _TEXT, text, optional=optional)


# PostHog gained the optional ones later, or they repeat others under an older name. Meanings:
# https://github.com/PostHog/posthog/blob/master/posthog/hogql/database/schema/sessions_v2.py
_COLUMNS = (
    Column("team_id", _INTEGER, "The ID of the project (team) of the session.", nullable=False),
    Column(
        "session_id", _TEXT, "The ID of the session: `$session_id` of its events.", nullable=False
    ),
    Column("session_id_v7", _TEXT, "The ID of the session as the 128-bit integer of its UUIDv7."),
    Column("distinct_id", _TEXT, "The `distinct_id` of the session's latest event."),
    Column("start_timestamp", TIMESTAMP, "The time of the session's first event."),
    Column(
        "end_timestamp",
        TIMESTAMP,
        "The time of the session's last event; the version of the row, which grows with it.",
        nullable=False,
    ),
    Column(
        "urls",
        pa.list_(_TEXT),
        "The URLs of the session's events, each once.",
        types={"redshift": "SUPER"},
    ),
    Column("num_uniq_urls", _INTEGER, "How many URLs `urls` has."),
    Column("entry_current_url", _TEXT, "The URL at which the session began."),
    Column("entry_pathname", _TEXT, "The path of `entry_current_url`."),
    Column("entry_hostname", _TEXT, "The host of `entry_current_url`."),
    Column("end_current_url", _TEXT, "The last URL of the session."),
    Column("end_pathname", _TEXT, "The path of `end_current_url`."),
    Column("end_hostname", _TEXT, "The host of `end_current_url`."),
    *(_from_entry(*one) for one in _UTM.items()),
    Column(
        "entry_referring_domain",
        _TEXT,
        "The domain that led to the session; `$direct` where none did.",
    ),
    *(_from_entry(*one) for one in _CLICK_IDS.items()),
    Column("pageview_count", _INTEGER, "How many `$pageview` events the session has."),
    Column("autocapture_count", _INTEGER, "How many `$autocapture` events the session has."),
    Column("screen_count", _INTEGER, "How many `$screen` events the session has."),
    Column(
        "channel_type",
        _TEXT,
        "How the user came, told from referrer, UTM parameters and click IDs, such as "
        "`Organic Search`.",
    ),
    Column("session_duration", _INTEGER, "Seconds from the first event to the last."),
    Column(
        "duration",
        _INTEGER,
        "Another name of `session_duration`; deprecated.",
        optional=True,
    ),
    Column(
        "is_bounce",
        pa.bool_(),
        "Whether the user left at once: at most one page view, screen or click, and less than ten "
        "seconds. NULL without any of them.",
    ),
    Column(
        "last_external_click_url",
        _TEXT,
        "The URL of the last link to another site that was clicked.",
    ),
    Column(
        "page_screen_autocapture_count_up_to",
        _INTEGER,
        "How many page views, screens and clicks there are, counted no further than 2, which "
        "means more than one.",
    ),
    Column(
        "exit_current_url",
        _TEXT,
        "Another name of `end_current_url`; deprecated.",
        optional=True,
    ),
    Column("exit_pathname", _TEXT, "Another name of `end_pathname`; deprecated.", optional=True),
    Column(
        "vitals_lcp",
        pa.float64(),
        "The largest contentful paint of the session's first page with web vitals, in "
        "milliseconds.",
        optional=True,
    ),
    *(_from_entry(*one, optional=True) for one in _LATER_CLICK_IDS.items()),
)
_INSERTED_AT = Column(
    "_inserted_at",
    TIMESTAMP,
    "The time at which this version arrived; it places the row in a data interval.",
    source="inserted_at",
)
_NAMES = tuple(column.name for column in _COLUMNS)

SESSIONS = Model(
    name="sessions",
    description="Sessions: what a user did on one device without a longer pause, with where they "
    "came from and where they went.",
    key=("team_id", "session_id"),
    versions=("end_timestamp",),
    membership=("inserted_at", "end_timestamp", "start_timestamp"),
    columns=(*_COLUMNS, _INSERTED_AT),
    default_columns={
        "s3": (*_NAMES, _INSERTED_AT.name),
        "postgres": _NAMES,
        "redshift": _NAMES,
    },
)
