"""What is sent, whatever the way: a title, lines of name and text, a link; and the same as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Message:
    """`data` is what programs read; it can be written as JSON."""

    title: str
    lines: tuple[tuple[str, str], ...]
    link: str | None
    data: Mapping[str, Any]

    @property
    def text(self) -> str:
        """For people who read plain text."""
        lines = [self.title, "", *(f"{name}: {text}" for name, text in self.lines)]
        return "\n".join([*lines, *(["", self.link] if self.link else [])])
