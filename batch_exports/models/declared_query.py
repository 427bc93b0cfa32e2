"""The query of a declared model: what can be known to be wrong with it before it runs."""

import re
from difflib import get_close_matches

from batch_exports.errors import ConfigurationError
from batch_exports.models.origin import INTERVAL_END, INTERVAL_START, Query

_BOUNDS = (INTERVAL_START, INTERVAL_END)
# What is not the statement itself: text and names in quotes, dollar quotes of PostgreSQL, comments.
_QUOTED = (
    r"'(?:[^'\\]|\\.|'')*'" + r'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$'
)
_COMMENT = r"--[^\n]*|/\*.*?\*/"
_NO_CODE = re.compile(f"(?P<quoted>{_QUOTED})|{_COMMENT}", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{\s*([A-Za-z_]\w*)\s*(?::[^{}]*)?\}")
_FIRST_WORD = re.compile(r"[\s(]*(\w*)")


def declared_query(text: str) -> Query:
    """The query without a semicolon and comments at its end, so that it can stand within another.

    Braces in quotes and in comments are the query's own, and so are others that hold no name. What
    is in quotes is told by `'`, `"`, a backtick and PostgreSQL's `$tag$`; a backslash in `'...'` is
    taken for an escape, as ClickHouse takes it. Raises `ConfigurationError` for the field query.
    """
    code = _NO_CODE.sub(_blank, text)
    end = len(code.rstrip())
    if code[:end].endswith(";"):
        end = len(code[: end - 1].rstrip())
    start = len(code[:end]) - len(code[:end].lstrip())
    text, code = text[start:end], code[start:end]
    first = _FIRST_WORD.match(code)
    if not first or first[1].upper() not in ("SELECT", "WITH"):
        raise _error(
            f"it begins with {text.split(maxsplit=1)[0]!r}." if text else "it is empty.",
            "Begin it with SELECT or WITH: it may read alone.",
        )
    if ";" in code:
        raise _error("a semicolon stands within it.", "Give a single statement.")
    _check_placeholders(text, code)
    return Query(text)


def _blank(found: re.Match[str]) -> str:
    """As many characters, of which none means anything."""
    return ("'" if found["quoted"] else " ") * len(found[0])


def _check_placeholders(text: str, code: str) -> None:
    for found in _PLACEHOLDER.finditer(code):
        if found[0] not in _BOUNDS:
            raise _unknown(found[0], found[1])
    for quoted in (found["quoted"] for found in _NO_CODE.finditer(text) if found["quoted"]):
        for inner in _PLACEHOLDER.finditer(quoted):
            if inner[0] in _BOUNDS:
                raise _error(
                    f"{inner[0]} stands in quotes, where it is text.", "Leave out the quotes."
                )
            if _meant(inner[1]):
                raise _unknown(inner[0], inner[1])
    if missing := [bound for bound in _BOUNDS if bound not in code]:
        raise _error(
            f"it does not use {missing[0]}: each interval would have the same rows.",
            "Let it select the rows of the interval alone, such as by: WHERE updated_at >= "
            f"{INTERVAL_START} AND updated_at < {INTERVAL_END}.",
        )


def _unknown(placeholder: str, name: str) -> ConfigurationError:
    near = _meant(name)
    return _error(
        f"{placeholder} is not known.",
        f"Did you mean {near}?" if near else f"There is: {', '.join(_BOUNDS)}.",
    )


def _meant(name: str) -> str | None:
    """Which of the bounds a name may stand for that is almost one's."""
    near = get_close_matches(name.lower(), [bound[1:-1] for bound in _BOUNDS], n=1, cutoff=0.75)
    return f"{{{near[0]}}}" if near else None


def _error(problem: str, remedy: str) -> ConfigurationError:
    return ConfigurationError("query", problem, remedy=remedy)
