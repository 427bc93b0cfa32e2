"""Alerts that are to be sent: each by each way until it arrives, or was tried often enough."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from batch_exports.automation.alerts.alert import Alert
from batch_exports.automation.alerts.channel import Channel, Undelivered

MOST_TRIES = 8
_FIRST_WAIT = timedelta(seconds=30)
# What is kept for ways that do not work; beyond it, the oldest is given up.
_MOST_LETTERS = 100


@dataclass(frozen=True)
class Letter:
    """An alert on its way by one channel, which is not tried again before `not_before`."""

    alert: Alert
    channel: str
    tries: int = 0
    not_before: datetime | None = None

    def written(self) -> dict[str, Any]:
        """As JSON holds it."""
        not_before = self.not_before.isoformat() if self.not_before else None
        return {
            "alert": self.alert.written(),
            "channel": self.channel,
            "tries": self.tries,
            "not_before": not_before,
        }

    @classmethod
    def read(cls, told: dict[str, Any]) -> "Letter":
        at = told["not_before"]
        return cls(
            Alert.read(told["alert"]),
            told["channel"],
            told["tries"],
            datetime.fromisoformat(at) if at else None,
        )


@dataclass(frozen=True)
class Round:
    """What one round of sending has come to: letters that are left, and what to say of it."""

    left: Sequence[Letter]
    sent: Sequence[str]
    troubles: Sequence[str]


def send(
    letters: Sequence[Letter],
    channels: Mapping[str, Channel],
    now: datetime,
    *,
    ui_url: str | None,
    seconds: float,
    redact: Callable[[str], str] = str,
) -> Round:
    """Send what is due, for so many seconds at most (and one try more).

    A channel that fails is left alone for the rest of the round. Tries are 30 s apart, then twice
    as long each; after `MOST_TRIES`, about an hour, the letter is given up.
    """
    ends = time.monotonic() + seconds
    left, sent, troubles = list[Letter](), list[str](), list[str]()
    broken = set[str]()
    for letter in letters[-_MOST_LETTERS:]:
        channel = channels.get(letter.channel)
        if channel is None:  # it is no longer in the YAML
            continue
        waits = letter.not_before is not None and letter.not_before > now
        if waits or channel.name in broken or time.monotonic() > ends:
            left.append(letter)
            continue
        title = letter.alert.message(ui_url).title
        trouble = _try(channel, letter.alert, ui_url)
        if trouble is None:
            sent.append(f"{channel.name}: {title}")
            continue
        broken.add(channel.name)
        tries = letter.tries + 1
        told = f"{channel.name}: {redact(trouble)} The alert {title!r} is"
        if tries >= MOST_TRIES:
            troubles.append(f"{told} given up after {tries} tries.")
            continue
        wait = _FIRST_WAIT * 2**letter.tries
        troubles.append(f"{told} sent again in {wait.total_seconds():.0f} s (try {tries}).")
        left.append(replace(letter, tries=tries, not_before=now + wait))
    troubles += [
        f"{letter.channel}: an alert on {letter.alert.export} is given up, as too many wait."
        for letter in letters[:-_MOST_LETTERS]
    ]
    return Round(left, sent, troubles)


def _try(channel: Channel, alert: Alert, ui_url: str | None) -> str | None:
    """What kept it from arriving. Whatever goes wrong with an alert, nothing else fails for it."""
    try:
        channel.send(alert.message(ui_url))
    except Undelivered as error:
        return str(error)
    except Exception as error:  # the texts of others may hold secrets
        return f"{type(error).__name__}."
    return None
