"""How an embedded part is doing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """Whether a part is usable now, and where it is or what is missing."""

    up: bool
    text: str
