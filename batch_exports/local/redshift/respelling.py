"""Words of Redshift that PostgreSQL has otherwise, or has no use for."""

import re

from batch_exports.local.redshift.quotation import blank, gist

_USER = r"\s*(CREATE|ALTER)\s+USER\b"
# Statements that begin as the first says; what is found in them; what comes in its place.
_RESPELLED = (
    # Newer versions of PostgreSQL have a syntax of their own for this, but for the quoted name.
    ("", r"\bjson_serialize(?=\s*\()", '"json_serialize"'),
    ("", r"(pg_catalog\.)?\bversion\s*\(\s*\)", "pg_catalog.redshift_version()"),
    ("", r"\bsysdate\b", "(now() AT TIME ZONE 'UTC')"),
    ("", r"(?<=varchar)\s*\(\s*max\s*\)", "(65535)"),
    # https://docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html
    (r"\s*VACUUM\b", r"\b(FULL|SORT\s+ONLY|DELETE\s+ONLY|REINDEX|RECLUSTER|BOOST)\b", ""),
    (r"\s*VACUUM\b", r"\bTO\s+\d+\s+PERCENT\b", ""),
    # https://docs.aws.amazon.com/redshift/latest/dg/r_ANALYZE.html
    (r"\s*ANALYZE\b", r"\b(PREDICATE|ALL)\s+COLUMNS\b", ""),
    # https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html
    (_USER, r"\bCREATEUSER\b", "SUPERUSER"),
    (_USER, r"\bNOCREATEUSER\b", "NOSUPERUSER"),
    (_USER, r"\bPASSWORD\s+DISABLE\b", "PASSWORD NULL"),
    (_USER, r"\bSYSLOG\s+ACCESS\s+(UN)?RESTRICTED\b|\bSESSION\s+TIMEOUT\s+\d+", ""),
    # https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_VIEW.html
    (r"\s*CREATE\b.*\bVIEW\b", r"\bWITH\s+NO\s+SCHEMA\s+BINDING\b", ""),
    # https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT.html: it has no effect here.
    ("", r"^\s*(GRANT|REVOKE)\s+ASSUMEROLE\b.*", "DO 'BEGIN END'"),
)
_COMPILED = [
    (re.compile(start, re.I | re.S), re.compile(pattern, re.I | re.S), words)
    for start, pattern, words in _RESPELLED
]


def respelled(statement: str) -> str:
    """The statement in PostgreSQL's words; what is quoted in it stays."""
    told = gist(statement)
    if not any(start.match(told) and pattern.search(told) for start, pattern, _ in _COMPILED):
        return statement
    bare = blank(statement)
    for start, pattern, words in _COMPILED:
        found = list(pattern.finditer(bare)) if start.match(bare) else []
        for word in reversed(found):
            statement = statement[: word.start()] + words + statement[word.end() :]
        bare = blank(statement) if found else bare
    return statement
