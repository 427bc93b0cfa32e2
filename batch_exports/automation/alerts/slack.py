"""Messages to Slack, by an incoming webhook.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from batch_exports.automation.alerts.message import Message
from batch_exports.automation.alerts.post import post

# https://docs.slack.dev/reference/block-kit/blocks/header-block: 150 characters;
# https://docs.slack.dev/reference/block-kit/blocks/section-block: 3000;
# https://docs.slack.dev/reference/block-kit/blocks: 50 blocks a message.
_MOST_TITLE = 150
_MOST_TEXT = 3000
_MOST_SECTIONS = 45


@dataclass(frozen=True)
class Slack:
    """Posts to the URL that `url` gives, which is a secret: whoever has it may post."""

    url: Callable[[], str]
    name: ClassVar[str] = "slack"

    def send(self, message: Message) -> None:
        post(self.url(), json.dumps(payload(message)).encode(), {})


def payload(message: Message) -> dict[str, Any]:
    """The title, which also notifies, and a section a line."""
    title = _cut(message.title, _MOST_TITLE)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title}}
    ]
    blocks += [
        {"type": "section", "text": {"type": "mrkdwn", "text": _cut(_line(*line), _MOST_TEXT)}}
        for line in message.lines[:_MOST_SECTIONS]
    ]
    if len(message.lines) > _MOST_SECTIONS:
        blocks.append(_context(f"{len(message.lines) - _MOST_SECTIONS} lines more"))
    if message.link:
        blocks.append(_context(f"<{message.link}|Open the run>"))
    return {"text": _escaped(title), "blocks": blocks}


def _line(name: str, text: str) -> str:
    return f"*{_escaped(name)}*\n{_escaped(text)}"


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def _escaped(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
