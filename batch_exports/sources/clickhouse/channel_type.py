"""PostHog's channel of a session, by its own rules and its own dictionary of sites.

https://posthog.com/docs/data/channel-type; the dictionary `channel_definition_dict` is the one that
PostHog keeps in its ClickHouse. Rules that a project has made for itself are not in ClickHouse, and
so are not followed.
"""

_SHOPPING = "'^(.*(([^a-df-z]|^)shop|shopping).*)$'"
_PAID_MEDIUMS = "('cpc', 'cpm', 'cpv', 'cpa', 'ppc', 'retargeting')"


def channel_type(
    *, source: str, medium: str, campaign: str, domain: str, gclid: str, fbclid: str, gad: str
) -> str:
    """The expression; each of its parts is one that is NULL where the session has none."""
    source, medium, campaign = f"lower({source})", f"lower({medium})", f"lower({campaign})"
    is_paid = f"""ifNull({medium} IN {_PAID_MEDIUMS}, false)
        OR ifNull(startsWith({medium}, 'paid'), false)
        OR {gclid} IS NOT NULL OR {gad} IS NOT NULL"""
    is_direct = f"""ifNull({domain} = '$direct', false) AND {medium} IS NULL
        AND ({source} IS NULL OR {source} IN ('(direct)', 'direct', '$direct'))
        AND {fbclid} IS NULL"""
    return f"""multiIf(
    ifNull(match({campaign}, 'cross-network'), false), 'Cross Network',
    {is_paid}, coalesce(
        {_of_source("type_if_paid", source)},
        if(ifNull(match({campaign}, {_SHOPPING}), false), 'Paid Shopping', NULL),
        {_of_medium("type_if_paid", medium)},
        {_of_source("type_if_paid", domain)},
        multiIf(
            ifNull({gad} = '1', false), 'Paid Search',
            ifNull(match({campaign}, '^(.*video.*)$'), false), 'Paid Video',
            {fbclid} IS NOT NULL, 'Paid Social',
            'Paid Unknown'
        )
    ),
    {is_direct}, 'Direct',
    coalesce(
        {_of_source("type_if_organic", source)},
        if(ifNull(match({campaign}, {_SHOPPING}), false), 'Organic Shopping', NULL),
        {_of_medium("type_if_organic", medium)},
        {_of_source("type_if_organic", domain)},
        multiIf(
            ifNull(match({campaign}, '^(.*video.*)$'), false), 'Organic Video',
            ifNull(match({medium}, 'push$'), false), 'Push',
            {fbclid} IS NOT NULL, 'Organic Social',
            ifNull({domain} = '$direct', false), 'Direct',
            {domain} IS NOT NULL, 'Referral',
            'Unknown'
        )
    )
)"""


def _of_source(attribute: str, source: str) -> str:
    """By the name or the domain as it is, else by what was registered of it."""
    known = f"coalesce({source}, '')"
    return f"""coalesce(
            {_of(attribute, known, "source")},
            {_of(attribute, f"cutToFirstSignificantSubdomain({known})", "source")}
        )"""


def _of_medium(attribute: str, medium: str) -> str:
    return _of(attribute, f"coalesce({medium}, '')", "medium")


def _of(attribute: str, name: str, kind: str) -> str:
    return f"dictGetOrNull('channel_definition_dict', '{attribute}', ({name}, '{kind}'))"
