"""COPY as a client writes it: its options, and which of them go together.

https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from batch_exports.local.redshift.authorization import (
    PARAMETERS,
    Authorization,
    parse_authorization,
)
from batch_exports.local.redshift.internal_errors import internal_error
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.tokens import Tokens

MOST_ERRORS = 100_000
"""The limit of MAXERROR."""

_JSON_MODES = ("auto", "auto ignorecase", "noshred")
# https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html lists
# what columnar COPY takes, beside the format itself and SERIALIZETOJSON.
_COLUMNAR = {"manifest", "serialize_to_json", "replacement", "statupdate"}
_NOT_COVERED = (
    *("CSV", "AVRO", "ORC", "FIXEDWIDTH", "SHAPEFILE", "DELIMITER", "QUOTE", "ESCAPE", "NULL"),
    *("BZIP2", "LZOP", "ENCRYPTED", "MASTER_SYMMETRIC_KEY", "SSH", "READRATIO", "ENCODING"),
    *("FILLRECORD", "TRIMBLANKS", "ROUNDEC", "ACCEPTANYDATE", "EXPLICIT_IDS", "COMPROWS"),
    *("IGNOREHEADER", "IGNOREBLANKLINES", "REMOVEQUOTES", "IGNOREALLERRORS", "JOB"),
)


@dataclass(frozen=True)
class Copy:
    """A COPY from S3. `table` is as written; columns are folded to lower case.

    `json` says how objects become rows: "auto", "auto ignorecase" or "noshred"; None is Parquet.
    `replacement` stands for a byte that is not UTF-8 (ACCEPTINVCHARS), `compression` is "gzip",
    "zstd" or None. Formats are None where the statement gives none.
    """

    table: str
    columns: tuple[str, ...] | None
    bucket: str
    key: str
    authorization: Authorization
    json: str | None = None
    manifest: bool = False
    serialize_to_json: bool = False
    compression: str | None = None
    region: str | None = None
    time_format: str | None = None
    date_format: str | None = None
    max_errors: int = 0
    no_load: bool = False
    truncate: bool = False
    empty_as_null: bool = False
    blanks_as_null: bool = False
    replacement: str | None = None

    @property
    def table_name(self) -> str:
        """The table without its schema, as messages name it."""
        return self.table.split(".")[-1].strip('"').lower()


def parse_copy(statement: str) -> Copy:
    """The COPY that a statement asks for. Raises Refusal, as Redshift or for what is not covered.

    Messages hold no literal of the statement: one may be a secret.
    """
    tokens = Tokens(statement)
    tokens.expect("COPY")
    table = _table(tokens)
    columns = _columns(tokens)
    tokens.expect("FROM")
    bucket, key = s3_location(tokens.string())
    options = _options(tokens)
    if options.get("manifest") and (not key or key.endswith("/")):
        message = "COPY with MANIFEST parameter requires full path of an S3 object."
        raise internal_error(message, 8001)
    return Copy(table, columns, bucket, key, **options)


def s3_location(url: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`. Raises Refusal for other addresses."""
    scheme, _, path = url.partition("://")
    bucket, _, key = path.partition("/")
    if scheme.lower() != "s3" or not bucket:
        raise Refusal("0A000", "only files at s3://bucket/key are covered by the emulator")
    return bucket, key


def _table(tokens: Tokens) -> str:
    parts = [tokens.identifier()]
    while tokens.take("."):
        parts.append(tokens.identifier())
    return ".".join(parts)


def _columns(tokens: Tokens) -> tuple[str, ...] | None:
    if not tokens.take("("):
        return None
    names = [tokens.identifier()]
    while tokens.take(","):
        names.append(tokens.identifier())
    tokens.expect(")")
    return tuple(name.strip('"').replace('""', '"').lower() for name in names)


def _options(tokens: Tokens) -> dict[str, Any]:
    """The fields of `Copy` that the statement sets."""
    options: dict[str, Any] = {}
    words: dict[str, str] = {}
    while not tokens.ended:
        tokens.take(",")
        word = tokens.word()
        name, value = _option(tokens, word)
        if name in options:
            raise Refusal("42601", "conflicting or redundant options")
        options[name], words[name] = value, word
    _check_combination(options, words)
    # What they ask for, encodings and statistics, the emulator does not have.
    return {name: options[name] for name in options if name not in ("compupdate", "statupdate")}


def _option(tokens: Tokens, word: str) -> tuple[str, Any]:
    """The name and the value of an option, whose first word is read."""
    if word in PARAMETERS:
        return "authorization", parse_authorization(tokens, word)
    if word in ("FORMAT", "AS"):
        tokens.take("AS")
        word = tokens.word()
        if word not in ("PARQUET", "JSON", *_NOT_COVERED):
            tokens.back()
            raise tokens.refusal()
    if word in _NOT_COVERED:
        raise Refusal("0A000", f"COPY with {word} is not covered by the emulator")
    if word not in _OPTIONS:
        tokens.back()
        raise tokens.refusal()
    name, value = _OPTIONS[word]
    return name, value(tokens)


def _constant(value: Any) -> Callable[[Tokens], Any]:
    return lambda _: value


def _text(tokens: Tokens) -> str:
    tokens.take("AS")
    return tokens.string()


def _json(tokens: Tokens) -> str:
    tokens.take("AS")
    mode = tokens.string() if tokens.has_string() else "auto"
    if mode not in _JSON_MODES:
        raise Refusal("0A000", "COPY with JSONPaths is not covered by the emulator")
    return mode


def _max_errors(tokens: Tokens) -> int:
    tokens.take("AS")
    count = int(tokens.number())
    if count > MOST_ERRORS:
        raise Refusal("42601", f"MAXERROR must be between 0 and {MOST_ERRORS}")
    return count


def _replacement(tokens: Tokens) -> str:
    tokens.take("AS")
    character = tokens.string() if tokens.has_string() else "?"
    if len(character) != 1 or not "\0" < character < "\x80":
        raise Refusal("42601", "ACCEPTINVCHARS takes one ASCII character other than NULL")
    return character


def _switch(tokens: Tokens) -> bool:
    return (
        tokens.take("ON")
        or tokens.take("TRUE")
        or not (tokens.take("OFF") or tokens.take("FALSE") or tokens.take("PRESET"))
    )


_OPTIONS: dict[str, tuple[str, Callable[[Tokens], Any]]] = {
    "PARQUET": ("json", _constant(None)),
    "JSON": ("json", _json),
    "SERIALIZETOJSON": ("serialize_to_json", _constant(True)),
    "MANIFEST": ("manifest", _constant(True)),
    "GZIP": ("compression", _constant("gzip")),
    "ZSTD": ("compression", _constant("zstd")),
    "REGION": ("region", _text),
    "TIMEFORMAT": ("time_format", _text),
    "DATEFORMAT": ("date_format", _text),
    "MAXERROR": ("max_errors", _max_errors),
    "NOLOAD": ("no_load", _constant(True)),
    "TRUNCATECOLUMNS": ("truncate", _constant(True)),
    "EMPTYASNULL": ("empty_as_null", _constant(True)),
    "BLANKSASNULL": ("blanks_as_null", _constant(True)),
    "ACCEPTINVCHARS": ("replacement", _replacement),
    "COMPUPDATE": ("compupdate", _switch),
    "STATUPDATE": ("statupdate", _switch),
}


def _check_combination(options: dict[str, Any], words: dict[str, str]) -> None:
    if "authorization" not in options:
        raise Refusal("42601", "No credentials specified. Give IAM_ROLE, or an access key.")
    if "json" not in options:
        raise Refusal("0A000", "COPY of delimited text is not covered by the emulator")
    if options["json"] is not None:
        if "serialize_to_json" in options:
            raise Refusal("0A000", "SERIALIZETOJSON is only supported with columnar formats")
        return
    for name in options.keys() - _COLUMNAR - {"json", "authorization"}:
        raise Refusal("0A000", f"{words[name]} argument is not supported for PARQUET based COPY")
