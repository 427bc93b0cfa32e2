"""The columns of a lake of sessions, in order."""

import pyarrow as pa

_TEXT: pa.DataType = pa.string()
_TIME: pa.DataType = pa.timestamp("us", tz="UTC")
_INTEGER: pa.DataType = pa.int64()

SESSIONS = pa.schema(
    [
        ("team_id", _INTEGER),
        ("session_id", _TEXT),
        ("session_id_v7", _TEXT),  # null: the recorded ids are no UUIDs
        ("distinct_id", _TEXT),
        ("start_timestamp", _TIME),
        ("end_timestamp", _TIME),
        ("urls", pa.list_(_TEXT)),
        ("num_uniq_urls", _INTEGER),
        ("entry_current_url", _TEXT),
        ("entry_pathname", _TEXT),
        ("entry_hostname", _TEXT),
        ("end_current_url", _TEXT),
        ("end_pathname", _TEXT),
        ("end_hostname", _TEXT),
        ("entry_utm_source", _TEXT),
        ("entry_utm_campaign", _TEXT),
        ("entry_utm_medium", _TEXT),
        ("entry_utm_term", _TEXT),
        ("entry_utm_content", _TEXT),
        ("entry_referring_domain", _TEXT),
        ("entry_gclid", _TEXT),
        ("entry_fbclid", _TEXT),
        ("entry_gad_source", _TEXT),
        ("pageview_count", _INTEGER),
        ("autocapture_count", _INTEGER),
        ("screen_count", _INTEGER),
        ("channel_type", _TEXT),
        ("session_duration", _INTEGER),  # seconds
        ("duration", _INTEGER),
        ("is_bounce", pa.bool_()),
        ("last_external_click_url", _TEXT),
        ("page_screen_autocapture_count_up_to", _INTEGER),
        ("exit_current_url", _TEXT),
        ("exit_pathname", _TEXT),
        ("vitals_lcp", pa.float64()),  # milliseconds
        ("entry_gclsrc", _TEXT),
        ("entry_dclid", _TEXT),
        ("entry_gbraid", _TEXT),
        ("entry_wbraid", _TEXT),
        ("entry_msclkid", _TEXT),
        ("entry_twclid", _TEXT),
        ("entry_li_fat_id", _TEXT),
        ("entry_mc_cid", _TEXT),
        ("entry_igshid", _TEXT),
        ("entry_ttclid", _TEXT),
        ("entry__kx", _TEXT),
        ("entry_irclid", _TEXT),
        ("inserted_at", _TIME),  # when this version could first be read
    ]
)
