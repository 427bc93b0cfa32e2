"""The pieces of a statement, read one after the other: what COPY and UNLOAD are parsed with."""

import re

from batch_exports.local.redshift.refusal import Refusal, syntax_error

# Backslash is an escape in every literal, as in PostgreSQL 8.0.
_TOKEN = re.compile(
    r"""\s+|--[^\n]*|/\*.*?\*/
    |(?P<string>'(?:[^'\\]|''|\\.)*')
    |(?P<quoted>"(?:[^"]|"")+")
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"''|\\(.)", re.DOTALL)
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Tokens:
    """Where the reading of a statement stands. A final semicolon is its end."""

    def __init__(self, statement: str) -> None:
        self._tokens = [
            (found.lastgroup, found.group())
            for found in _TOKEN.finditer(statement)
            if found.lastgroup
        ]
        if self._tokens and self._tokens[-1][1] == ";":
            self._tokens.pop()
        self._next = 0

    @property
    def ended(self) -> bool:
        return self._next == len(self._tokens)

    def refusal(self) -> Refusal:
        """The syntax error at the place reached. It names no literal, which may be a secret."""
        if self.ended:
            return Refusal("42601", "syntax error at end of input")
        kind, text = self._tokens[self._next]
        return syntax_error("'" if kind == "string" else text)

    def take(self, *words: str) -> bool:
        """Whether just these words or signs come next, in whatever case; they are then read."""
        coming = self._tokens[self._next : self._next + len(words)]
        if [text.upper() for kind, text in coming if kind in ("word", "sign")] != list(words):
            return False
        self._next += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Reads these words or signs. Raises Refusal where others come."""
        if not self.take(*words):
            raise self.refusal()

    def word(self) -> str:
        """The next word, in upper case."""
        return self._read("word").upper()

    def string(self) -> str:
        """The text of the next literal."""
        return _ESCAPE.sub(_unescaped, self._read("string")[1:-1])

    def number(self) -> str:
        """The digits of the next number, with their point."""
        return self._read("number")

    def has_string(self) -> bool:
        """Whether a literal comes next."""
        return not self.ended and self._tokens[self._next][0] == "string"

    def identifier(self) -> str:
        """The next identifier as it is written, with its quotes."""
        return self._read("word", "quoted")

    def back(self) -> None:
        """Unreads one piece, for `refusal` to name."""
        self._next -= 1

    def _read(self, *kinds: str) -> str:
        if self.ended or self._tokens[self._next][0] not in kinds:
            raise self.refusal()
        self._next += 1
        return self._tokens[self._next - 1][1]


def _unescaped(escape: re.Match[str]) -> str:
    return _CONTROLS.get(escape[1], escape[1]) if escape[1] else "'"
