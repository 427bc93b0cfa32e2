"""Secrets taken out of text, whatever put them there."""

import json
import os
import re
from collections.abc import Callable, Collection, Iterator
from functools import partial
from urllib.parse import quote, quote_plus

HIDDEN = "[secret]"


def redactor(variables: Collection[str]) -> Callable[[str], str]:
    """Puts `[secret]` for what these environment variables hold now, also where it stands escaped
    in a URL or in JSON.

    However short a secret is, it is taken out: a text that suffers from that is the lesser harm.
    """
    values = {value for name in variables if (value := os.environ.get(name))}
    forms = {form for value in values for form in _forms(value)}
    if not forms:
        return str
    # The longest first: one may be part of another.
    any_form = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True))))
    return partial(any_form.sub, HIDDEN)


def _forms(value: str) -> Iterator[str]:
    yield from (value, quote(value, safe=""), quote(value), quote_plus(value))
    yield from (json.dumps(value)[1:-1], repr(value)[1:-1])
    # A file's line break at the end is not part of what a server repeats.
    if value.strip():
        yield value.strip()
