"""SET, RESET and SHOW: the configuration parameters that Redshift has.

Source: https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_ConfigurationRef.html
"""

import re

from batch_exports.local.redshift.refusal import Refusal

_NAMED = re.compile(
    r"\s*(?P<command>SET|RESET|SHOW)\s+(?P<scope>(?:SESSION|LOCAL)\s+(?!AUTHORIZATION|CHARACT))?"
    r"(?P<name>[a-z_][\w.]*)\b(?P<rest>.*)",
    re.I | re.S,
)
# What PostgreSQL has as well, with the same meaning.
_SHARED = {
    *("search_path", "statement_timeout", "timezone", "datestyle", "extra_float_digits"),
    *("application_name", "client_encoding", "client_min_messages", "transaction", "session"),
    *("time", "transaction_isolation", "all", "server_version", "server_encoding", "role"),
}
_OWN = {
    *("analyze_threshold_percent", "cast_super_null_on_error", "describe_field_name_in_uppercase"),
    *("downcase_delimited_identifier", "enable_case_sensitive_super_attribute"),
    *("enable_numeric_rounding", "enable_result_cache_for_session", "enable_vacuum_boost"),
    *("error_on_nondeterministic_update", "json_parse_dedup_attributes"),
    *(
        "json_parse_truncate_strings",
        "json_serialization_enable",
        "max_concurrency_scaling_clusters",
    ),
    *("json_serialization_parse_nested_strings", "max_cursor_result_set_size"),
    *("mv_enable_aqmv_for_session", "navigate_super_null_on_error", "parse_super_null_on_error"),
    *("query_group", "spectrum_query_maxerror", "use_fips_ssl", "wlm_query_slot_count"),
    "enable_case_sensitive_identifier",
}


def parameter(statement: str) -> str:
    """Raises Refusal for a parameter that Redshift does not have."""
    found = _NAMED.match(statement)
    name = found["name"].lower() if found else ""
    if not found or name in _SHARED:
        return statement
    if name not in _OWN:
        raise Refusal("42704", f'unrecognized configuration parameter "{name}"')
    if name == "enable_case_sensitive_identifier" and re.search(
        r"\b(on|true|1)\b", found["rest"], re.I
    ):
        raise Refusal("0A000", "this emulator folds all names to lower case")
    if found["command"].upper() == "SHOW":
        return f"SELECT coalesce(current_setting('emulator.{name}', true), '') AS {name}"
    return f"{found['command']} {found['scope'] or ''}emulator.{name}{found['rest']}"
