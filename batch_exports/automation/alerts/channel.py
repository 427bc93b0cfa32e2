"""The ways by which messages go out, and what they have in common."""

from typing import Protocol

from batch_exports.automation.alerts.message import Message

SECONDS = 10
"""How long connecting, and then each answer, may take."""


class Channel(Protocol):
    """One way to some people or a program."""

    @property
    def name(self) -> str:
        """Of the kind, as in YAML: slack, email, webhook."""

    def send(self, message: Message) -> None:
        """Raises `Undelivered`, and nothing else, where it did not arrive."""


class Undelivered(Exception):
    """A message that was not taken. The text names no secret: neither a URL nor a password."""
