"""What of a statement is quoted: literals, names, comments."""

import re
from functools import lru_cache

from batch_exports.local.redshift.refusal import Refusal

# Backslashes escape in literals, as in PostgreSQL 8.0, on which Redshift is based.
_QUOTED = re.compile(
    r"""(?P<literal>'(?:[^'\\]++|''|\\.)*+')
    |(?P<dollars>\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$)
    |(?P<name>"(?:[^"]++|"")*+")
    |(?P<comment>--[^\n]*|/\*.*?\*/)""",
    re.S | re.X,
)
_LONG_WORD = re.compile(r"[^\W\d][\w$]{63,}")
_NAME_BYTES = 127
_BACKEND_NAME_BYTES = 63


def fold(statement: str) -> str:
    """The statement with its quoted names in lower case, as Redshift keeps them, and no comments.

    Raises Refusal for a name that is too long.
    Source: https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
    """

    def folded(quoted: re.Match[str]) -> str:
        if quoted["comment"]:
            return " "
        if not quoted["name"]:
            return quoted[0]
        _check_length(quoted[0][1:-1].replace('""', '"'))
        return "".join(letter.lower() if letter.isascii() else letter for letter in quoted[0])

    text = _QUOTED.sub(folded, statement)
    for word in _LONG_WORD.findall(blank(text)):
        _check_length(word)
    return text


@lru_cache(maxsize=2)  # a statement is looked at many times, and may be long
def blank(statement: str) -> str:
    """The statement as long as it was, with nothing but blanks in its literals and comments, and
    nothing but underscores in its quoted names: what is left in it means what it says."""

    def blanked(quoted: re.Match[str]) -> str:
        if quoted["name"]:
            return '"' + "_" * (len(quoted[0]) - 2) + '"'
        if quoted["comment"]:
            return " " * len(quoted[0])
        return "'" + " " * (len(quoted[0]) - 2) + "'"

    return _QUOTED.sub(blanked, statement)


@lru_cache(maxsize=2)
def gist(statement: str) -> str:
    """What is left of a statement in `blank`, shorter: of literals their quotes, and each row of
    VALUES that differs from others in more than its numbers once."""
    rows = re.sub(r"' +'", "''", blank(statement)).split("),(")
    if len(rows) == 1:
        return rows[0]
    return "),(".join(dict.fromkeys(re.sub(r"\d+", "0", row) for row in rows))


def split(text: str, separator: str) -> list[str]:
    """The parts of `text` between separators that stand in no quotes and no parentheses."""
    bare, parts, depth, start = blank(text), [], 0, 0
    if separator not in bare:
        return [text]
    for sign in re.finditer(rf"[()\[\]{re.escape(separator)}]", bare):
        depth += (sign[0] in "([") - (sign[0] in ")]")
        if sign[0] == separator and depth == 0:
            parts.append(text[start : sign.start()])
            start = sign.end()
    return [*parts, text[start:]]


def _check_length(name: str) -> None:
    length = len(name.encode())
    if length > _NAME_BYTES:
        raise Refusal("42622", f'identifier "{name}" has {length} bytes, of {_NAME_BYTES} at most')
    if length > _BACKEND_NAME_BYTES:
        raise Refusal(
            "0A000",
            f'this emulator keeps no name of more than {_BACKEND_NAME_BYTES} bytes: "{name}"',
            "Redshift allows 127 bytes; the PostgreSQL behind this emulator does not.",
        )
