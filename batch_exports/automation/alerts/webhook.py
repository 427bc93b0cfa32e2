"""Messages to a program, as JSON."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from batch_exports.automation.alerts.message import Message
from batch_exports.automation.alerts.post import post

SIGNATURE = "Batch-Exports-Signature"
"""The header by which a receiver knows that a call is ours, and how old it is."""


@dataclass(frozen=True)
class Webhook:
    """Posts to `url`. With a secret, calls are signed."""

    url: Callable[[], str]
    secret: Callable[[], str] | None = None
    name: ClassVar[str] = "webhook"

    def send(self, message: Message) -> None:
        told = {"title": message.title, **message.data}
        body = json.dumps(told).encode()
        headers = {}
        if self.secret is not None:
            headers[SIGNATURE] = signature(self.secret(), body, int(time.time()))
        post(self.url(), body, headers)


def signature(secret: str, body: bytes, timestamp: int) -> str:
    """`t=` the time in seconds since 1970, and `v1=` the HMAC-SHA256, in hexadecimal, of that time,
    a dot and the body: what was recorded is of no use later."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"t={timestamp},v1={signed.hexdigest()}"
