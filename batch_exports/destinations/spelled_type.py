"""A type of a column as it is written in SQL, taken apart."""

import re
from dataclasses import dataclass

_SPELLED = re.compile(r"([A-Z]+(?: [A-Z]+)*) ?(?:\( ?(\d{1,9}) ?(?:, ?(\d{1,9}) ?)?\))?( ?\[ ?\])?")

# Types that servers write in another way than users do.
_ALIASES = {
    "CHARACTER VARYING": "VARCHAR",
    "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP": "TIMESTAMP WITHOUT TIME ZONE",
    "DECIMAL": "NUMERIC",
}


@dataclass(frozen=True)
class SpelledType:
    """`name` is in capitals, of an array with `[]`; `numbers` are what stands in parentheses."""

    name: str
    numbers: tuple[int, ...] = ()


def spelled(text: str) -> SpelledType | None:
    """The type, or None for what is not spelled as one: nothing else may follow."""
    found = _SPELLED.fullmatch(" ".join(text.upper().split()))
    if not found:
        return None
    numbers = tuple(int(number) for number in found.groups()[1:3] if number)
    return SpelledType(f"{found[1]}{'[]' if found[4] else ''}", numbers)


def is_same(one: str, other: str) -> bool:
    """Whether both are one type, however they are written."""
    return _plain(one) == _plain(other)


def _plain(text: str) -> tuple[object, ...]:
    found = spelled(text)
    return (_ALIASES.get(found.name, found.name), found.numbers) if found else (text,)
