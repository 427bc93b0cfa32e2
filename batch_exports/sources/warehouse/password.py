"""What Redshift asks of a password, and RudderStack's guide with it.

https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html
"""

import re

_LEAST, _MOST = 8, 64
_FORBIDDEN = "'\"\\/@"
_CLASSES = {
    "[A-Z]": "it has no capital letter",
    "[a-z]": "it has no small letter",
    "[0-9]": "it has no digit",
}


def broken_rules(password: str) -> list[str]:
    """The rules that a password breaks, in words that do not show it."""
    broken = []
    if not _LEAST <= len(password) <= _MOST:
        broken.append(f"it does not have {_LEAST} to {_MOST} characters")
    broken += [words for pattern, words in _CLASSES.items() if not re.search(pattern, password)]
    if any(not "!" <= letter <= "~" for letter in password):
        broken.append("it has a character that is not of ASCII's 33 to 126")
    if any(letter in _FORBIDDEN for letter in password):
        broken.append(f"it has one of {' '.join(_FORBIDDEN)}")
    return broken
