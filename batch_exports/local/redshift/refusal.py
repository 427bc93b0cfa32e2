"""What the emulator answers instead of doing what a client asked."""

from dataclasses import dataclass


@dataclass
class Refusal(Exception):
    """An error as Redshift reports one: its SQLSTATE, what is wrong, and more about it.

    A message never holds credentials.
    """

    code: str
    message: str
    detail: str | None = None

    def __str__(self) -> str:
        return self.message


def syntax_error(near: str) -> Refusal:
    """What Redshift's parser says when it meets the word `near`."""
    return Refusal("42601", f'syntax error at or near "{near}"')
