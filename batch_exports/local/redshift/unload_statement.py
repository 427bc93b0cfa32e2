"""UNLOAD as a client writes it.

https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from batch_exports.local.redshift.authorization import (
    PARAMETERS,
    Authorization,
    parse_authorization,
)
from batch_exports.local.redshift.copy_statement import s3_location
from batch_exports.local.redshift.refusal import Refusal
from batch_exports.local.redshift.tokens import Tokens

_UNITS = {"MB": 2**20, "GB": 2**30}
_SMALLEST_FILE, _LARGEST_FILE = 5 * 2**20, int(Decimal("6.2") * 2**30)
# What Redshift refuses with Parquet.
_TEXT_ONLY = ("DELIMITER", "FIXEDWIDTH", "ADDQUOTES", "ESCAPE", "NULL", "HEADER")
_COMPRESSIONS = ("GZIP", "BZIP2", "ZSTD")
_NOT_COVERED = ("CSV", "JSON", "PARTITION", "ROWGROUPSIZE", "ENCRYPTED", "KMS_KEY_ID")
_LITERAL = re.compile(r"'(?:[^'\\]|''|\\.)*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_INNERMOST = re.compile(r"\([^()]*\)")


@dataclass(frozen=True)
class Unload:
    """An UNLOAD to Parquet: the rows of `query` into objects that begin with `bucket`/`prefix`.

    `extension` is what file names end with, `max_file_bytes` about what a file has at most.
    """

    query: str
    bucket: str
    prefix: str
    authorization: Authorization
    manifest: bool = False
    verbose: bool = False
    allow_overwrite: bool = False
    clean_path: bool = False
    parallel: bool = True
    max_file_bytes: int = _LARGEST_FILE
    extension: str = "parquet"
    region: str | None = None


def parse_unload(statement: str) -> Unload:
    """The UNLOAD that a statement asks for. Raises Refusal, as Redshift or for what is not
    covered: formats other than Parquet, partitions, encryption."""
    tokens = Tokens(statement)
    tokens.expect("UNLOAD")
    tokens.expect("(")
    query = tokens.string()
    tokens.expect(")")
    tokens.expect("TO")
    bucket, prefix = s3_location(tokens.string())
    options = _options(tokens)
    _check(options, query)
    del options["format"]
    return Unload(query, bucket, prefix, **options)


def _options(tokens: Tokens) -> dict[str, Any]:
    options: dict[str, Any] = {}
    while not tokens.ended:
        for name, value in _option(tokens, tokens.word()):
            if name in options:
                raise Refusal("42601", "conflicting or redundant options")
            options[name] = value
    return options


def _option(tokens: Tokens, word: str) -> list[tuple[str, Any]]:
    if word in PARAMETERS:
        return [("authorization", parse_authorization(tokens, word))]
    if word == "FORMAT":
        tokens.take("AS")
        word = tokens.word()
    if word in (*_TEXT_ONLY, *_COMPRESSIONS):
        raise Refusal("0A000", f"UNLOAD with {word} is not supported with PARQUET")
    if word in _NOT_COVERED:
        raise Refusal("0A000", f"UNLOAD with {word} is not covered by the emulator")
    if word == "MANIFEST":
        return [("manifest", True), ("verbose", tokens.take("VERBOSE"))]
    if word not in _OPTIONS:
        tokens.back()
        raise tokens.refusal()
    name, value = _OPTIONS[word]
    return [(name, value(tokens))]


def _parallel(tokens: Tokens) -> bool:
    if tokens.take("OFF") or tokens.take("FALSE"):
        return False
    for word in ("ON", "TRUE"):
        tokens.take(word)
    return True


def _file_bytes(tokens: Tokens) -> int:
    tokens.take("AS")
    number = Decimal(tokens.number())
    unit = next((bytes_ for name, bytes_ in _UNITS.items() if tokens.take(name)), _UNITS["MB"])
    size = int(number * unit)
    if not _SMALLEST_FILE <= size <= _LARGEST_FILE:
        raise Refusal("42601", "MAXFILESIZE must be between 5 MB and 6.2 GB")
    return size


def _text(tokens: Tokens) -> str:
    tokens.take("AS")
    return tokens.string()


_OPTIONS: dict[str, tuple[str, Callable[[Tokens], Any]]] = {
    "PARQUET": ("format", lambda _: "parquet"),
    "ALLOWOVERWRITE": ("allow_overwrite", lambda _: True),
    "CLEANPATH": ("clean_path", lambda _: True),
    "PARALLEL": ("parallel", _parallel),
    "MAXFILESIZE": ("max_file_bytes", _file_bytes),
    "EXTENSION": ("extension", lambda tokens: _text(tokens).lstrip(".")),
    "REGION": ("region", _text),
}


def _check(options: dict[str, Any], query: str) -> None:
    if "authorization" not in options:
        raise Refusal("42601", "No credentials specified. Give IAM_ROLE, or an access key.")
    if "format" not in options:
        raise Refusal("0A000", "UNLOAD to delimited text is not covered by the emulator")
    if options.get("allow_overwrite") and options.get("clean_path"):
        raise Refusal("42601", "CLEANPATH and ALLOWOVERWRITE can't both be specified")
    if _has_outer_limit(query):
        # https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html#unload-usage-limit-clause
        raise Refusal("0A000", "Limit clause is not supported")


def _has_outer_limit(query: str) -> bool:
    bare, inner = _LITERAL.sub(" ", query), 1
    while inner:
        bare, inner = _INNERMOST.subn(" ", bare)
    return re.search(r"\bLIMIT\b", bare, re.IGNORECASE) is not None
