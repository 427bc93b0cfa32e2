"""A column as CREATE TABLE and ALTER TABLE define it: its type, its limits, its part in the layout.

Sources: https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html and
https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html
"""

import re
from dataclasses import dataclass
from hashlib import sha256

from batch_exports.local.redshift.quotation import blank
from batch_exports.local.redshift.refusal import Refusal, syntax_error

NAME = r'(?:"[^"]*"|[^\W\d][\w$]*)'

# What PostgreSQL calls a type, by what Redshift calls it, longest first.
_TYPES = {
    r"timestamp\s+without\s+time\s+zone": "timestamp",
    r"timestamp\s+with\s+time\s+zone": "timestamptz",
    r"time\s+without\s+time\s+zone": "time",
    r"time\s+with\s+time\s+zone": "timetz",
    r"double\s+precision|float8|float": "float8",
    r"character\s+varying|varchar|nvarchar|text": "varchar",
    r"binary\s+varying|varbinary|varbyte": "varbyte",
    r"character|nchar|bpchar|char": "char",
    r"smallint|int2": "int2",
    r"integer|int4|int": "int4",
    r"bigint|int8": "int8",
    r"numeric|decimal": "numeric",
    r"real|float4": "float4",
    r"boolean|bool": "bool",
    "timestamptz": "timestamptz",
    "timestamp": "timestamp",
    "timetz": "timetz",
    "time": "time",
    "date": "date",
    "super": "super",
}
# MaxAttrSize of PostgreSQL.
_MOST_KEPT = 10_485_760
# The length that a type has without one, and the greatest, in bytes.
_LENGTHS = {"varchar": (256, 65_535), "char": (1, 4096), "varbyte": (64_000, 16_777_216)}
_MOST_DIGITS = 38
_SYSTEM_COLUMNS = {"oid", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}

_TYPE = re.compile(
    rf"\s*(?P<name>{NAME})\s+(?:{'|'.join(f'({spelling})' for spelling in _TYPES)})\b"
    r"(?:\s*\((?P<arguments>[^()]*)\))?",
    re.I,
)
_ATTRIBUTE = re.compile(
    r"""\s*(?:
    (?P<notnull>not\s+null|primary\s+key)|(?P<free>null|unique|references\s+[\w."]+(\s*\([^)]*\))?)
    |encode\s+(?P<encoding>\w+)|(?P<distkey>distkey)|(?P<sortkey>sortkey)
    |collate\s+(?P<collation>\w+)
    |(?:generated\s+by\s+default\s+as\s+)?identity\s*\(\s*(?P<seed>-?\d+)\s*,\s*(?P<step>-?\d+)\s*\)
    |(?P<default>default)(?=\s)
    )(?!\w)""",
    re.I | re.X,
)
_AFTER_DEFAULT = re.compile(
    r"(?<=.)\s+(not\s+null|null|encode|distkey|sortkey|primary|unique|references|collate)\b", re.I
)


@dataclass(frozen=True)
class Column:
    """One column. `definition` is what PostgreSQL makes it with; the rest is its layout."""

    name: str
    type: str
    definition: str
    encoding: str | None
    distkey: bool
    sortkey: bool


def parse_column(text: str) -> Column:
    """Raises Refusal for what Redshift does not have."""
    bare = blank(text)
    found = _TYPE.match(bare)
    if not found:
        raise _unsupported(text)
    name = text[found.start("name") : found.end("name")].strip('"').lower()
    if name in _SYSTEM_COLUMNS:
        raise Refusal("42701", f'column name "{name}" conflicts with a system column name')
    spelled = next(at for at, group in enumerate(found.groups()[1:]) if group)
    kind = list(_TYPES.values())[spelled]
    kind = "bpchar" if kind == "char" and found[spelled + 2].lower() == "bpchar" else kind
    type_, check = _limited(name, kind, found["arguments"])
    return _with_attributes(name, type_, check, text[found.end() :])


def limit(name: str, type_: str, length: int) -> str:
    """The constraint that holds a text column to its length in bytes; PostgreSQL counts
    characters."""
    sizes = {"varchar": "character varying", "char": "character"}
    fits = f"pg_catalog.emulator_fits({quoted(name)}::text, {length}, '{sizes[type_]}')"
    return f"CONSTRAINT {limit_name(name)} CHECK ({fits})"


def limit_name(column: str) -> str:
    """The name of that constraint."""
    return f"emulator_fits_{sha256(column.encode()).hexdigest()[:16]}"


def quoted(name: str) -> str:
    return f'"{name}"'


def _limited(name: str, kind: str, arguments: str | None) -> tuple[str, str]:
    """The type in PostgreSQL's words, and the constraint for what it does not check itself."""
    if kind == "bpchar":
        kind, arguments = "char", arguments or "256"
    if kind == "numeric":
        return _numeric(arguments), ""
    if kind not in _LENGTHS:
        if arguments:
            raise syntax_error("(")
        return kind, ""
    usual, most = _LENGTHS[kind]
    words = (arguments or str(usual)).strip().lower()
    length = most if words == "max" and kind == "varchar" else int(words) if words.isdigit() else -1
    if length < 1:
        raise syntax_error(words)
    if length > most:
        raise Refusal("22023", f"length for type {kind} cannot exceed {most}")
    if kind == "varbyte":
        # The length is kept as PostgreSQL keeps a VARCHAR's, which has an end below VARBYTE's.
        return (f"{kind}({length})" if length <= _MOST_KEPT else kind), ""
    return f"{kind}({length})", limit(name, kind, length)


def _numeric(arguments: str | None) -> str:
    digits = [int(word) for word in (arguments or "18,0").split(",") if word.strip().isdigit()]
    precision, scale = (*digits, 0)[:2] if digits else (0, 0)
    if not 1 <= precision <= _MOST_DIGITS:
        raise Refusal(
            "22023", f"DECIMAL precision {precision} must be between 1 and {_MOST_DIGITS}"
        )
    if scale > precision:
        raise Refusal("22023", f"DECIMAL scale {scale} must be between 0 and {precision}")
    return f"numeric({precision},{scale})"


def _with_attributes(name: str, type_: str, check: str, rest: str) -> Column:
    words = [quoted(name), type_]
    encoding, distkey, sortkey = None, False, False
    while rest.strip():
        bare = blank(rest)
        found = _ATTRIBUTE.match(bare)
        if not found:
            raise syntax_error(bare.split()[0])
        end = found.end()
        if found["default"]:
            end = _end_of_default(bare, found.end())
            words.append(f"DEFAULT {rest[found.end() : end].strip()}")
        elif found["seed"]:
            start, step = found["seed"], found["step"]
            words.append(
                f"GENERATED BY DEFAULT AS IDENTITY (START WITH {start} INCREMENT BY {step} "
                f"MINVALUE {min(int(start), 1)})"
            )
        elif found["notnull"]:
            words.append("NOT NULL")
        encoding = found["encoding"] or encoding
        distkey, sortkey = distkey or bool(found["distkey"]), sortkey or bool(found["sortkey"])
        rest = rest[end:]
    if type_ == "super" and (distkey or sortkey):
        raise super_as_key(name)
    return Column(name, type_, " ".join([*words, check]), encoding, distkey, sortkey)


def super_as_key(name: str) -> Refusal:
    """https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html"""
    return Refusal("0A000", f'SUPER column "{name}" cannot be a distribution or sort key')


def _end_of_default(bare: str, start: int) -> int:
    # Words in parentheses belong to the expression.
    depth = 0
    flat = []
    for sign in bare[start:]:
        depth += (sign == "(") - (sign == ")")
        flat.append("x" if depth else sign)
    found = _AFTER_DEFAULT.search("".join(flat))
    return start + found.start() if found else len(bare)


def _unsupported(text: str) -> Refusal:
    words = text.split(None, 1)
    if len(words) < 2:
        return syntax_error(words[0] if words else ")")
    kind = re.match(r"[\w\s]*?[\w]+(?=\s*(\(|\[|,|$|not\b|null\b|default\b))|\S+", words[1], re.I)
    spelled = kind[0] if kind else words[1]
    name = words[0].strip('"')
    return Refusal("0A000", f'Column "{name}" has unsupported type "{spelled}".')
