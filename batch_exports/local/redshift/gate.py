"""What PostgreSQL takes and Redshift does not.

Each rule cites the page of AWS's guide that says so, or whose syntax knows no such thing. Further
refusals stand where a statement is rewritten: `create_table`, `alter_table`, `merge`, `parameters`.
"""

import re
from dataclasses import dataclass

from batch_exports.local.redshift.quotation import gist
from batch_exports.local.redshift.refusal import Refusal

_GUIDE = "https://docs.aws.amazon.com/redshift/latest/dg/"
_FEATURES = "c_unsupported-postgresql-features.html"
_FUNCTIONS = "c_unsupported-postgresql-functions.html"
_TYPES = "c_unsupported-postgresql-datatypes.html"
_SYNTAX = "42601", 'syntax error at or near "{}"'
_FUNCTION = "42883", "function {}() does not exist"
_UNSUPPORTED = "0A000", "{} is not supported"

_NO_FUNCTIONS = (
    *("string_agg", "array_agg", "every", "xml_agg", "xmlagg", "corr", "covar_pop", "covar_samp"),
    *("regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope"),
    *("regr_sxx", "regr_sxy", "regr_syy", "clock_timestamp", "justify_days", "justify_hours"),
    *("justify_interval", "pg_sleep", "transaction_timestamp", "div", "setseed", "width_bucket"),
    *("generate_series", "generate_subscripts", "bit_length", "overlay", "convert_from"),
    *("convert_to", "encode", "format", "quote_nullable", "regexp_matches"),
    *("regexp_split_to_array", "regexp_split_to_table", "array_to_string", "unnest"),
    *("pg_advisory_lock", "pg_advisory_xact_lock", "pg_advisory_unlock", "pg_try_advisory_lock"),
    *("pg_try_advisory_xact_lock", "pg_advisory_lock_shared", "pg_advisory_xact_lock_shared"),
    *("pg_relation_size", "pg_total_relation_size", "pg_database_size", "pg_read_file"),
    *("to_json", "to_jsonb", "row_to_json", "json_agg", "jsonb_agg", "json_build_object"),
    *("jsonb_build_object", "jsonb_set", "json_each", "jsonb_each", "json_array_elements"),
    *("jsonb_array_elements", "gen_random_uuid", "to_regclass"),
)
_NO_TYPES = (
    r"jsonb?|uuid|bytea|inet|cidr|macaddr8?|xml|money|hstore|(?:small|big)?serial|name|reg[a-z]+"
    r"|tsvector|tsquery|bit|varbit|oid|xid|txid_snapshot|(?:int[48]|num|ts|tstz|date)range|point"
    r"|box|circle|line|lseg|path|polygon"
)
_NO_COMMANDS = (
    *("REINDEX", "CLUSTER", "LISTEN", "NOTIFY", "UNLISTEN", "DO", "DISCARD", "CHECKPOINT", "LOAD"),
    *("VALUES", "TABLE", "IMPORT", "SECURITY", "REASSIGN"),
)
_NO_OBJECTS = (
    *("TRIGGER", "RULE", "SEQUENCE", "TYPE", "DOMAIN", "EXTENSION", "AGGREGATE", "OPERATOR"),
    *("COLLATION", "CAST", "TABLESPACE", "STATISTICS", "SERVER", "EVENT", "UNLOGGED", "FOREIGN"),
    *("CONSTRAINT", "PUBLICATION", "SUBSCRIPTION", "INDEX"),
)


def _any(words: tuple[str, ...]) -> str:
    return "|".join(words)


@dataclass(frozen=True)
class Rule:
    """Statements in which `pattern` is found, but for literals and quoted names, are refused.

    `refused` is SQLSTATE and message, with the pattern's first group in it; `page` says why.
    """

    pattern: str
    refused: tuple[str, str]
    page: str

    @property
    def source(self) -> str:
        return _GUIDE + self.page


RULES = (
    Rule(r"\b(ON)\s+CONFLICT\b", _SYNTAX, "r_INSERT_30.html"),
    Rule(r"\b(RETURNING)\b", _SYNTAX, "r_INSERT_30.html"),
    Rule(r"^\s*WITH\b.*\)\s*(INSERT|MERGE)\b", _SYNTAX, "r_INSERT_30.html"),
    Rule(r"^\s*COPY\b.*\b(STDIN|STDOUT|PROGRAM)\b", _SYNTAX, "r_COPY.html"),
    Rule(r"^\s*(SAVEPOINT|RELEASE|ROLLBACK\s+TO)\b", _UNSUPPORTED, _FUNCTIONS),
    Rule(r"^\s*DEALLOCATE\s+(?:PREPARE\s+)?(ALL)\b", _SYNTAX, "r_DEALLOCATE.html"),
    Rule(r"^\s*PREPARE\s+(TRANSACTION)\b", _SYNTAX, "r_PREPARE.html"),
    Rule(r"^\s*EXPLAIN\s*(ANALYZE|\()", _SYNTAX, "r_EXPLAIN.html"),
    Rule(rf"^\s*({_any(_NO_COMMANDS)})\b", _SYNTAX, "c_SQL_commands.html"),
    Rule(
        rf"^\s*(?:CREATE|ALTER)\s+(?:OR\s+REPLACE\s+)?(?:UNIQUE\s+)?({_any(_NO_OBJECTS)})\b",
        _UNSUPPORTED,
        _FEATURES,
    ),
    Rule(r"^\s*LOCK\b.*\b(IN|NOWAIT)\b", _SYNTAX, "r_LOCK.html"),
    Rule(r"^\s*CREATE\b.*\bWITH\s+(?:NO\s+)?(DATA)\b", _SYNTAX, "r_CREATE_TABLE_AS.html"),
    Rule(r"\b(DISTINCT\s+ON)\s*\(", _UNSUPPORTED, "r_SELECT_list.html"),
    Rule(
        r"\b(FOR\s+(?:NO\s+KEY\s+)?(?:UPDATE|KEY\s+SHARE|SHARE))\b",
        _SYNTAX,
        "r_SELECT_synopsis.html",
    ),
    Rule(r"\b(LATERAL|TABLESAMPLE)\b", _SYNTAX, "r_FROM_clause30.html"),
    Rule(r"\bWITH\s+(ORDINALITY)\b", _SYNTAX, _FEATURES),
    Rule(r"\bAS\s+(?:NOT\s+)?(MATERIALIZED)\b", _SYNTAX, "r_WITH_clause.html"),
    Rule(r"\bAS\s*\(\s*(INSERT|UPDATE|DELETE|MERGE)\b", _SYNTAX, "r_WITH_clause.html"),
    Rule(r"\)\s*(FILTER)\s*\(", _SYNTAX, "c_Aggregate_Functions.html"),
    Rule(r"\(\s*(VALUES)\b", _SYNTAX, _FEATURES),
    Rule(r"\b(ROW)\s*\(", _SYNTAX, _FEATURES),
    Rule(
        r"(?<![\w\"])\(\s*[\w.$\"]+(?:\s*,\s*[\w.$\"]+)+\s*\)\s*(=|<>|!=|<=|>=|<|>)",
        _SYNTAX,
        _FEATURES,
    ),
    Rule(r"\b(ARRAY)\s*\[", _SYNTAX, _FEATURES),
    Rule(r"\bIS\s+(?:NOT\s+)?(DISTINCT)\s+FROM\b", _SYNTAX, _FUNCTIONS),
    Rule(rf"(?<![\w.\"])(?:pg_catalog\.)?\b({_any(_NO_FUNCTIONS)})\s*\(", _FUNCTION, _FUNCTIONS),
    Rule(rf"::\s*(?:pg_catalog\.)?({_NO_TYPES})\b", ("42704", 'type "{}" does not exist'), _TYPES),
    Rule(rf"\bAS\s+({_NO_TYPES})\s*\)", ("42704", 'type "{}" does not exist'), _TYPES),
    Rule(r"::\s*\w+(?:\s*\([^)]*\))?\s*(\[)", _SYNTAX, _TYPES),
    Rule(r"(?<![\w$\"])(E)'", _SYNTAX, "c_redshift-and-postgres-sql.html"),
)
_COMPILED = [(re.compile(rule.pattern, re.I | re.S), rule) for rule in RULES]


def check(statement: str) -> None:
    """Raises Refusal for what Redshift would refuse."""
    bare = gist(statement)
    for pattern, rule in _COMPILED:
        if found := pattern.search(bare):
            code, message = rule.refused
            raise Refusal(code, message.format(" ".join(found[1].split())))
